// The floor: what chain4 costs when nothing is done but its fsynced commits and its bus round trips. One process with a
// ROUTER and one SQLite connection (WAL, synchronous=FULL), worker processes with a DEALER that send back what they
// get. A chain is 5 commits (one row of BODY_BYTES each) and 4 round trips of two frames; what arrived by the time a
// commit begins shares it.
//     bench_floor chain4 CHAINS TOTAL DIR [WORKERS]
#include "figures.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

enum { HEADER_BYTES = 32, BODY_BYTES = 1024, STEPS = 4, WORKERS_MAX = 16, CHAINS_MAX = 4096, TAKE_MAX = 256 };

struct message {
    unsigned chain, step;
    int worker;
    char rest[HEADER_BYTES - 12];
};
static_assert(sizeof(struct message) == HEADER_BYTES, "the header of the real bus has 32 bytes");

struct floor_bench {
    void *socket;
    sqlite3 *db;
    sqlite3_stmt *insert, *begin, *commit;
    char body[BODY_BYTES];
    int64_t started[CHAINS_MAX];
    struct message ready[CHAINS_MAX]; // journaled, to be sent after the commit
    size_t n_ready;
    struct figures *latencies;
    struct figures_commits commits;
    unsigned next_chain, done, total;
    int workers;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_floor: %s: %s\n", what, why);
    exit(1);
}

static void work(const char *endpoint, int worker)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_DEALER);
    char identity = (char)('A' + worker), header[HEADER_BYTES], body[BODY_BYTES];
    zmq_setsockopt(socket, ZMQ_ROUTING_ID, &identity, 1);
    if (zmq_connect(socket, endpoint) < 0)
        die("worker", zmq_strerror(zmq_errno()));
    zmq_send(socket, "", 0, 0);
    for (;;) {
        if (zmq_recv(socket, header, sizeof(header), 0) != HEADER_BYTES)
            _exit(0);
        zmq_recv(socket, body, sizeof(body), 0);
        zmq_send(socket, header, sizeof(header), ZMQ_SNDMORE);
        zmq_send(socket, body, sizeof(body), 0);
    }
}

static void run_statement(struct floor_bench *f, sqlite3_stmt *stmt)
{
    if (sqlite3_step(stmt) != SQLITE_DONE)
        die("statement", sqlite3_errmsg(f->db));
    sqlite3_reset(stmt);
}

static void open_journal(struct floor_bench *f, const char *dir)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/floor.db", dir);
    if (sqlite3_open(path, &f->db) != SQLITE_OK ||
        sqlite3_exec(
            f->db,
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "CREATE TABLE IF NOT EXISTS journal (id INTEGER PRIMARY KEY, chain INTEGER, step INTEGER, body BLOB)",
            NULL, NULL, NULL) != SQLITE_OK)
        die(path, sqlite3_errmsg(f->db));
    sqlite3_prepare_v2(f->db, "INSERT INTO journal (chain, step, body) VALUES (?,?,?)", -1, &f->insert, NULL);
    sqlite3_prepare_v2(f->db, "BEGIN IMMEDIATE", -1, &f->begin, NULL);
    sqlite3_prepare_v2(f->db, "COMMIT", -1, &f->commit, NULL);
}

static void journal(struct floor_bench *f, struct message m)
{
    if (sqlite3_get_autocommit(f->db))
        run_statement(f, f->begin);
    sqlite3_bind_int(f->insert, 1, (int)m.chain);
    sqlite3_bind_int(f->insert, 2, (int)m.step);
    sqlite3_bind_blob(f->insert, 3, f->body, BODY_BYTES, SQLITE_STATIC);
    run_statement(f, f->insert);
    f->ready[f->n_ready++] = m;
}

static void begin_chain(struct floor_bench *f, unsigned slot)
{
    if (f->next_chain >= f->total)
        return;
    f->next_chain++;
    f->started[slot] = clock_mono_ns();
    journal(f, (struct message){.chain = slot, .step = 0, .worker = (int)(slot % (unsigned)f->workers)});
}

static void send_ready(struct floor_bench *f)
{
    size_t n = f->n_ready;
    f->n_ready = 0;
    for (size_t i = 0; i < n; i++) {
        struct message m = f->ready[i];
        if (m.step == STEPS) { // its last result is on disk
            figures_add(f->latencies, (double)(clock_mono_ns() - f->started[m.chain]));
            f->done++;
            begin_chain(f, m.chain);
            continue;
        }
        char identity = (char)('A' + m.worker);
        zmq_send(f->socket, &identity, 1, ZMQ_SNDMORE);
        zmq_send(f->socket, &m, sizeof(m), ZMQ_SNDMORE);
        zmq_send(f->socket, f->body, sizeof(f->body), 0);
    }
}

static bool take(struct floor_bench *f, int flags)
{
    char identity[8];
    struct message m;
    if (zmq_recv(f->socket, identity, sizeof(identity), flags) < 0)
        return false;
    if (zmq_recv(f->socket, &m, sizeof(m), 0) != HEADER_BYTES)
        return true; // a worker's first word
    zmq_recv(f->socket, f->body, sizeof(f->body), 0);
    m.step++;
    journal(f, m);
    return true;
}

static void bench(struct floor_bench *f, unsigned chains)
{
    int64_t began = clock_mono_ns(), cpu = figures_thread_cpu_ns();
    for (unsigned i = 0; i < chains; i++)
        begin_chain(f, i);
    while (f->done < f->total) {
        if (!sqlite3_get_autocommit(f->db)) {
            int64_t before = clock_mono_ns();
            run_statement(f, f->commit);
            f->commits.ns += (double)(clock_mono_ns() - before);
            f->commits.count++;
            send_ready(f);
        }
        if (f->done < f->total && sqlite3_get_autocommit(f->db))
            take(f, 0);
        for (int i = 0; i < TAKE_MAX && take(f, ZMQ_DONTWAIT); i++)
            ;
    }
    double wall = (double)(clock_mono_ns() - began);
    f->commits.cpu_ns = (double)(figures_thread_cpu_ns() - cpu);
    figures_print("floor", chains, f->latencies, STEPS, wall, &f->commits);
}

int main(int argc, char **argv)
{
    if (argc < 5 || strcmp(argv[1], "chain4") != 0)
        die("usage", "bench_floor chain4 CHAINS TOTAL DIR [WORKERS]");
    struct floor_bench *f = mem_alloc(sizeof(*f));
    unsigned chains = (unsigned)atoi(argv[2]);
    f->total = (unsigned)atoi(argv[3]);
    f->workers = argc > 5 ? atoi(argv[5]) : 1;
    if (chains < 1 || chains > CHAINS_MAX || f->workers < 1 || f->workers > WORKERS_MAX)
        die("usage", "too many chains or workers");
    char endpoint[4096];
    snprintf(endpoint, sizeof(endpoint), "ipc://%s/floor.bus", argv[4]);
    pid_t workers[WORKERS_MAX];
    for (int i = 0; i < f->workers; i++) {
        workers[i] = fork();
        if (workers[i] == 0)
            work(endpoint, i);
    }
    f->latencies = figures_new(f->total);
    open_journal(f, argv[4]);
    void *context = zmq_ctx_new();
    f->socket = zmq_socket(context, ZMQ_ROUTER);
    if (zmq_bind(f->socket, endpoint) < 0)
        die(endpoint, zmq_strerror(zmq_errno()));
    for (int i = 0; i < f->workers; i++) { // all are there before the clock starts
        char first[8];
        zmq_recv(f->socket, first, sizeof(first), 0);
        zmq_recv(f->socket, first, sizeof(first), 0);
    }
    bench(f, chains);
    for (int i = 0; i < f->workers; i++) {
        kill(workers[i], SIGKILL);
        waitpid(workers[i], NULL, 0);
    }
    int linger = 0;
    zmq_setsockopt(f->socket, ZMQ_LINGER, &linger, sizeof(linger));
    zmq_close(f->socket);
    zmq_ctx_term(context);
    sqlite3_finalize(f->insert);
    sqlite3_finalize(f->begin);
    sqlite3_finalize(f->commit);
    sqlite3_close(f->db);
    figures_free(f->latencies);
    mem_free(f);
    return 0;
}
