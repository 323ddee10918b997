// The real bus with real echo workers: dispatch, commit before ack, loss, fencing, cancel, strangers. The loop and the
// bus run in this process; fake workers speak through sdk/link.h. Callbacks record; the tests assert.
#include "bus_fixture.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sdk/link.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

static void test_bus_dispatch_result_ack(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t invite;
    fixture_begin(&f);
    struct stat st;
    assert_int_equal(stat(f.endpoint + strlen("ipc://"), &st), 0);
    assert_int_equal(st.st_mode & 0077, 0);
    fixture_start_echo(&f, &invite);
    assert_true(bus_find(f.bus, "echo", "echo", 64, 64) == f.peer);
    assert_true(bus_find(f.bus, "echo", "other", 64, 64) == 0 && bus_find(f.bus, "review", NULL, 64, 64) == 0);
    for (uint64_t lease = 1; lease <= 50; lease++) {
        fixture_dispatch(&f, f.peer, lease, "{\"n\":\"grün\"}");
        assert_true(bus_find(f.bus, "echo", NULL, 1, 64) == 0); // it has one, and may have no more than that
        wait_for(&f, f.results == lease);
        assert_true(f.lease == lease);
        assert_string_equal(json_str(json_obj(json_obj(f.draft, "output"), "echo"), "n", ""), "grün");
        assert_string_equal(json_str(f.draft, "status", ""), "completed");
        assert_true(bus_find(f.bus, "echo", NULL, 64, 64) == f.peer);
    }
    struct err err;
    assert_int_equal(bus_dispatch(f.bus, f.peer, 50, "{}", &err), -ERR_EXISTS);
    assert_int_equal(bus_dispatch(f.bus, 999, 51, "{}", &err), -ERR_NOT_FOUND);
    assert_int_equal(bus_cancel(f.bus, f.peer, 50, "x", &err), -ERR_NOT_FOUND);
    kill(bus_peer(f.bus, f.peer)->pid, SIGTERM);
    wait_for(&f, f.exited == 1 && f.lost == 1);
    assert_non_null(strstr(f.why, "bye"));
    assert_non_null(strstr(buf_str(&f.log), "exit 0 signal 0"));
    fixture_finish(&f);
}

static void test_bus_large_and_failed_results(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t invite;
    fixture_begin(&f);
    fixture_start_echo(&f, &invite);
    fixture_dispatch(&f, f.peer, 1, "{\"size\":4000000}");
    wait_for(&f, f.results == 1);
    assert_int_equal(strlen(json_str(json_obj(f.draft, "output"), "text", "")), 4000000);
    // Larger than a message may be: a blocked draft that says so comes instead.
    fixture_dispatch(&f, f.peer, 2, "{\"size\":20000000}");
    wait_for(&f, f.results == 2);
    assert_string_equal(json_str(f.draft, "status", ""), "blocked");
    assert_non_null(strstr(json_str(f.draft, "blockers", ""), "bytes"));
    fixture_dispatch(&f, f.peer, 3, "{\"fail\":\"no luck\"}");
    wait_for(&f, f.results == 3);
    assert_string_equal(json_str(f.draft, "status", ""), "blocked");
    assert_string_equal(json_str(f.draft, "blockers", ""), "no luck");
    fixture_dispatch(&f, f.peer, 4, "{\"exec\":[\"ls\"]}");
    wait_for(&f, f.results == 4);
    assert_string_equal(json_str(f.draft, "status", ""), "blocked");
    const json_t *receipt = json_array_get(json_list(f.draft, "receipts"), 0);
    assert_string_equal(json_str(json_obj(receipt, "decision"), "decision", ""), "deny");
    fixture_finish(&f);
}

static void test_bus_killed_worker_is_replaced(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t invite, second;
    fixture_begin(&f);
    struct loop_child *child = fixture_start_echo(&f, &invite);
    fixture_dispatch(&f, f.peer, 1, "{\"exec\":[\"sleep\",\"8101\"]}");
    wait_for(&f, someone_runs("8101"));
    uint64_t first = f.peer;
    kill(loop_child_pid(child), SIGKILL);
    wait_for(&f, f.exited == 1);
    bus_uninvite(f.bus, invite, "its process ended");
    assert_int_equal(f.lost, 1);
    assert_true(f.lost_lease == 1);
    assert_null(bus_peer(f.bus, first));
    wait_for(&f, gone("8101")); // the tool went with the worker
    fixture_start_echo(&f, &second);
    fixture_dispatch(&f, f.peer, 2, "{}");
    wait_for(&f, f.results == 1);
    assert_true(f.lease == 2);
    fixture_finish(&f);
}

static void test_bus_stopped_worker_is_lost_and_fenced(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t invite, second;
    fixture_begin(&f);
    struct loop_child *child = fixture_start_echo(&f, &invite);
    uint64_t first = f.peer;
    fixture_dispatch(&f, first, 1, "{\"sleep_ms\":100}");
    kill(loop_child_pid(child), SIGSTOP);
    wait_for(&f, f.lost == 1);
    assert_true(f.lost_lease == 1);
    assert_non_null(strstr(f.why, "silent"));
    fixture_start_echo(&f, &second);
    fixture_dispatch(&f, f.peer, 2, "{\"sleep_ms\":1}");
    wait_for(&f, f.results == 1);
    assert_true(f.lease == 2);
    // It wakes up and delivers: nobody listens, and it ends itself.
    kill(loop_child_pid(child), SIGCONT);
    wait_for(&f, f.exited == 1);
    assert_true(f.refused >= 1);
    assert_int_equal(f.results, 1);
    fixture_finish(&f);
}

static void test_bus_cancel_ends_the_tool(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    uint64_t invite;
    fixture_begin(&f);
    fixture_start_echo(&f, &invite);
    fixture_dispatch(&f, f.peer, 1, "{\"exec\":[\"sleep\",\"8201\"]}");
    wait_for(&f, someone_runs("8201"));
    assert_ok(bus_cancel(f.bus, f.peer, 1, "not needed", &err), &err);
    wait_for(&f, f.results == 1);
    assert_false(someone_runs("8201"));
    assert_string_equal(json_str(f.draft, "status", ""), "blocked");
    assert_non_null(strstr(json_str(f.draft, "blockers", ""), "not needed"));
    fixture_dispatch(&f, f.peer, 2, "{\"sleep_ms\":1}"); // the worker goes on
    wait_for(&f, f.results == 2);
    assert_string_equal(json_str(f.draft, "status", ""), "completed");
    fixture_finish(&f);
}

static void test_bus_progress_arrives(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t invite;
    fixture_begin(&f);
    fixture_start_echo(&f, &invite);
    fixture_dispatch(&f, f.peer, 1, "{\"sleep_ms\":300}");
    wait_for(&f, f.results == 1);
    assert_non_null(strstr(buf_str(&f.progress), "waiting 300 ms|"));
    fixture_finish(&f);
}

static void test_bus_engine_that_ends_takes_its_workers_along(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t invite;
    fixture_begin(&f);
    fixture_start_echo(&f, &invite);
    fixture_dispatch(&f, f.peer, 1, "{\"exec\":[\"sleep\",\"8301\"]}");
    wait_for(&f, someone_runs("8301"));
    f.bus = bus_free(f.bus); // says bye
    wait_for(&f, f.exited == 1);
    wait_for(&f, gone("8301"));
    fixture_finish(&f);
}

// --- fake workers ---

static json_t *hello(const char *token)
{
    json_t *body = json_object();
    json_put_str(body, "role", "fake");
    json_put_str(body, "version", "1");
    json_put(body, "modes", json_array());
    json_put_int(body, "pid", getpid());
    json_put_str(body, "token", token);
    json_put_int(body, "credit", 2);
    return body;
}

static int receive(struct fixture *f, struct link *link, struct wire_message *ret)
{
    struct err err;
    int r = 0;
    wait_for(f, (r = link_receive(link, ret, &err)) != 0);
    assert_int_equal(r, 1);
    return (int)ret->type;
}

static void test_bus_stranger_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_begin(&f);
    char wrong[BUS_TOKEN_TEXT];
    memset(wrong, 'a', sizeof(wrong) - 1);
    wrong[sizeof(wrong) - 1] = '\0';
    fixture_start_echo_with(&f, wrong);
    wait_for(&f, f.exited == 1);
    assert_int_equal(f.ready, 0);
    assert_true(f.refused >= 1);
    assert_int_equal(f.refused_code, ERR_DENIED);
    assert_true(f.refused_peer == 0);
    assert_non_null(strstr(buf_str(&f.log), "token"));
    // A token admits one peer at a time, and none after it was taken back.
    char token[BUS_TOKEN_TEXT];
    uint64_t invite = bus_invite(f.bus, token);
    fixture_start_echo_with(&f, token);
    wait_for(&f, f.ready == 1);
    fixture_start_echo_with(&f, token);
    wait_for(&f, f.exited == 2);
    assert_int_equal(f.refused_code, ERR_CONFLICT);
    bus_uninvite(f.bus, invite, "test");
    assert_int_equal(f.lost, 1);
    fixture_start_echo_with(&f, token);
    wait_for(&f, f.exited >= 3); // this one, and the one that was sent away
    assert_int_equal(f.ready, 1);
    fixture_finish(&f);
}

static struct link *open_fake(struct fixture *f, uint64_t *ret_invite)
{
    struct err err;
    struct link *link = NULL;
    char token[BUS_TOKEN_TEXT];
    struct wire_message m;
    *ret_invite = bus_invite(f->bus, token);
    assert_ok(link_open(f->endpoint, &link, &err), &err);
    assert_ok(link_send(link, WIRE_HELLO, 0, hello(token), &err), &err);
    assert_int_equal(receive(f, link, &m), WIRE_WELCOME);
    wire_message_free(&m);
    return link;
}

static json_t *draft_body(const char *summary)
{
    json_t *draft = json_object();
    json_put_str(draft, "summary", summary);
    json_t *body = json_object();
    json_put(body, "draft", draft);
    return body;
}

static void expect(struct fixture *f, struct link *link, enum wire_type type, uint64_t lease)
{
    struct wire_message m;
    assert_int_equal(receive(f, link, &m), type);
    assert_true(m.lease == lease);
    wire_message_free(&m);
}

static void test_bus_result_is_fenced_and_acknowledged_after_commit(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    uint64_t invite;
    fixture_begin(&f);
    f.ack_at_once = false;
    struct link *link = open_fake(&f, &invite);
    fixture_dispatch(&f, f.peer, 7, "{}");
    fixture_dispatch(&f, f.peer, 8, "{}");
    assert_int_equal(bus_dispatch(f.bus, f.peer, 9, "{}", &err), -ERR_LIMIT);
    expect(&f, link, WIRE_DISPATCH, 7);
    expect(&f, link, WIRE_DISPATCH, 8);
    // A lease of another dispatch.
    assert_ok(link_send(link, WIRE_RESULT, 6, draft_body("old"), &err), &err);
    expect(&f, link, WIRE_REFUSE, 6);
    assert_int_equal(f.results, 0);
    assert_true(f.refused_lease == 6 && f.refused_code == ERR_CONFLICT);
    // The right one, twice: told once, and not acknowledged before the engine says so.
    assert_ok(link_send(link, WIRE_RESULT, 7, draft_body("good"), &err), &err);
    assert_ok(link_send(link, WIRE_RESULT, 7, draft_body("again"), &err), &err);
    assert_ok(link_send(link, WIRE_HEARTBEAT, 0, json_object(), &err), &err);
    expect(&f, link, WIRE_HEARTBEAT, 0); // the answer to what was sent last, and no acknowledgement before it
    assert_int_equal(f.results, 1);
    assert_string_equal(json_str(f.draft, "summary", ""), "good");
    assert_ok(bus_result_done(f.bus, f.peer, 7, &err), &err);
    bus_flush(f.bus);
    expect(&f, link, WIRE_RESULT_ACK, 7);
    // Sent again although acknowledged: acknowledged again, not told again.
    assert_ok(link_send(link, WIRE_RESULT, 7, draft_body("again"), &err), &err);
    expect(&f, link, WIRE_RESULT_ACK, 7);
    assert_int_equal(f.results, 1);
    assert_ok(link_send(link, WIRE_RESULT, 8, draft_body("unwanted"), &err), &err);
    wait_for(&f, f.results == 2);
    assert_ok(bus_result_refuse(f.bus, f.peer, 8, "cancelled", &err), &err);
    expect(&f, link, WIRE_REFUSE, 8);
    assert_int_equal(bus_peer(f.bus, f.peer)->busy, 0);
    // After the invitation ended, everything it says is refused.
    fixture_dispatch(&f, f.peer, 10, "{}");
    expect(&f, link, WIRE_DISPATCH, 10);
    bus_uninvite(f.bus, invite, "test");
    assert_true(f.lost_lease == 10);
    assert_ok(link_send(link, WIRE_RESULT, 10, draft_body("late"), &err), &err);
    expect(&f, link, WIRE_REFUSE, 10);
    assert_int_equal(f.results, 2);
    assert_true(f.refused_peer == 0 && f.refused_lease == 10);
    link_close(link);
    fixture_finish(&f);
}

// What waits behind a long job is given back; its lease can be given again, also to the same worker.
static void test_bus_jobs_behind_a_long_one_come_back(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    uint64_t invite;
    fixture_begin(&f);
    fixture_start_echo(&f, &invite);
    fixture_dispatch(&f, f.peer, 1, "{\"sleep_ms\":600000}");
    for (uint64_t lease = 2; lease <= 5; lease++)
        fixture_dispatch(&f, f.peer, lease, "{}");
    wait_for(&f, f.returned == 4);
    assert_true(f.returned_lease == 2); // the last one first
    assert_int_equal(f.results, 0);
    assert_int_equal(bus_peer(f.bus, f.peer)->busy, 1);
    assert_true(bus_find(f.bus, "echo", NULL, 64, 64) == 0); // it would only come back
    assert_int_equal(bus_occupied(f.bus, "echo"), 1);
    assert_int_equal(bus_occupied(f.bus, "other"), 0);
    assert_ok(bus_cancel(f.bus, f.peer, 1, "enough", &err), &err);
    wait_for(&f, f.results == 1);
    assert_true(f.lease == 1);
    assert_true(bus_find(f.bus, "echo", NULL, 64, 64) == f.peer);
    for (uint64_t lease = 2; lease <= 5; lease++)
        fixture_dispatch(&f, f.peer, lease, "{}");
    wait_for(&f, f.results == 5);
    assert_int_equal(f.returned, 4);
    assert_int_equal(f.refused, 0);
    fixture_finish(&f);
}

// A lease that was given back is not running there any more: what is said of it later counts for nothing.
static void test_bus_returned_lease_is_fenced(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    uint64_t invite;
    fixture_begin(&f);
    f.ack_at_once = false;
    struct link *link = open_fake(&f, &invite);
    fixture_dispatch(&f, f.peer, 7, "{}");
    fixture_dispatch(&f, f.peer, 8, "{}");
    expect(&f, link, WIRE_DISPATCH, 7);
    expect(&f, link, WIRE_DISPATCH, 8);
    assert_ok(link_send(link, WIRE_RETURN, 6, json_object(), &err), &err); // not its own
    assert_ok(link_send(link, WIRE_RETURN, 8, json_object(), &err), &err);
    assert_ok(link_send(link, WIRE_RETURN, 8, json_object(), &err), &err);
    assert_ok(link_send(link, WIRE_RESULT, 8, draft_body("after all"), &err), &err);
    expect(&f, link, WIRE_REFUSE, 8);
    assert_true(f.returned == 1 && f.returned_lease == 8);
    assert_true(f.results == 0 && f.refused_code == ERR_CONFLICT);
    // What has an answer cannot be given back.
    assert_ok(link_send(link, WIRE_RESULT, 7, draft_body("good"), &err), &err);
    assert_ok(link_send(link, WIRE_RETURN, 7, json_object(), &err), &err);
    assert_ok(link_send(link, WIRE_HEARTBEAT, 0, json_object(), &err), &err);
    expect(&f, link, WIRE_HEARTBEAT, 0);
    assert_true(f.results == 1 && f.returned == 1);
    assert_int_equal(bus_peer(f.bus, f.peer)->busy, 1);
    link_close(link);
    fixture_finish(&f);
}

static void test_bus_credit_changes(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    uint64_t invite;
    fixture_begin(&f);
    struct link *link = open_fake(&f, &invite);
    json_t *body = json_object();
    json_put_int(body, "jobs", 0);
    assert_ok(link_send(link, WIRE_CREDIT, 0, body, &err), &err);
    wait_for(&f, bus_find(f.bus, "fake", NULL, 64, 64) == 0);
    body = json_object();
    json_put_int(body, "jobs", 1000);
    assert_ok(link_send(link, WIRE_CREDIT, 0, body, &err), &err);
    wait_for(&f, f.refused == 1);
    assert_int_equal(f.refused_code, ERR_INVALID);
    link_close(link);
    fixture_finish(&f);
}

// Whatever bytes come over the socket, the bus goes on.
static void test_bus_survives_garbage(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t invite;
    fixture_begin(&f);
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_DEALER);
    assert_int_equal(zmq_connect(socket, f.endpoint), 0);
    zmq_send(socket, "", 0, 0);
    zmq_send(socket, "BATN", 4, 0);
    zmq_send(socket, "a", 1, ZMQ_SNDMORE);
    zmq_send(socket, "b", 1, 0);
    for (int i = 0; i < 10; i++)
        zmq_send(socket, "many", 4, i < 9 ? ZMQ_SNDMORE : 0);
    unsigned char header[WIRE_HEADER_BYTES];
    char *text = NULL;
    size_t len = 0;
    struct err err;
    AUTO_JSON json_t *empty = json_object();
    assert_ok(wire_encode(WIRE_HEARTBEAT, 0, 1, empty, WIRE_FROM_WORKER, header, &text, &len, &err), &err);
    header[5] = 2; // another version of the bus
    zmq_send(socket, header, sizeof(header), ZMQ_SNDMORE);
    zmq_send(socket, text, len, 0);
    wait_for(&f, f.refused == 5);
    assert_int_equal(f.refused_code, ERR_UNSUPPORTED);
    header[5] = 1;
    zmq_send(socket, header, sizeof(header), ZMQ_SNDMORE);
    zmq_send(socket, text, len, 0); // right in form, but nobody said hello
    wait_for(&f, f.refused == 6);
    assert_int_equal(f.refused_code, ERR_STATE);
    // A frame that is too large ends the connection and nothing else.
    size_t size = WIRE_BODY_MAX + 1;
    char *large = mem_alloc(size);
    zmq_send(socket, header, sizeof(header), ZMQ_SNDMORE);
    zmq_send(socket, large, size, 0);
    mem_free(large);
    mem_free(text);
    fixture_start_echo(&f, &invite);
    fixture_dispatch(&f, f.peer, 1, "{}");
    wait_for(&f, f.results == 1);
    int linger = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger));
    zmq_close(socket);
    while (zmq_ctx_term(context) < 0 && errno == EINTR)
        ;
    fixture_finish(&f);
}

// A peer that never reads: its queue fills, it is given up, and nobody else suffers.
static void test_bus_peer_that_does_not_read_is_lost(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    uint64_t invite, second;
    fixture_begin(&f);
    struct loop_child *child = fixture_start_echo(&f, &invite);
    uint64_t first = f.peer;
    fixture_dispatch(&f, first, 1, "{\"sleep_ms\":60000}");
    kill(loop_child_pid(child), SIGSTOP);
    char reason[1000];
    memset(reason, 'r', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    int r = 0;
    for (int i = 0; i < 100000 && r == 0; i++)
        r = bus_cancel(f.bus, first, 1, reason, &err);
    assert_int_equal(r, -ERR_UNAVAILABLE);
    assert_int_equal(f.lost, 0); // not from inside the call
    wait_for(&f, f.lost == 1);
    assert_non_null(strstr(f.why, "queue"));
    fixture_start_echo(&f, &second);
    fixture_dispatch(&f, f.peer, 2, "{}");
    wait_for(&f, f.results == 1);
    fixture_finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bus_dispatch_result_ack),
        cmocka_unit_test(test_bus_large_and_failed_results),
        cmocka_unit_test(test_bus_killed_worker_is_replaced),
        cmocka_unit_test(test_bus_stopped_worker_is_lost_and_fenced),
        cmocka_unit_test(test_bus_cancel_ends_the_tool),
        cmocka_unit_test(test_bus_progress_arrives),
        cmocka_unit_test(test_bus_engine_that_ends_takes_its_workers_along),
        cmocka_unit_test(test_bus_stranger_is_refused),
        cmocka_unit_test(test_bus_result_is_fenced_and_acknowledged_after_commit),
        cmocka_unit_test(test_bus_jobs_behind_a_long_one_come_back),
        cmocka_unit_test(test_bus_returned_lease_is_fenced),
        cmocka_unit_test(test_bus_credit_changes),
        cmocka_unit_test(test_bus_survives_garbage),
        cmocka_unit_test(test_bus_peer_that_does_not_read_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
