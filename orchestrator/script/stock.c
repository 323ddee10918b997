#include "script/stock.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#define READY_MAX 16
#define DEAD_MAX  64 // more than that are closed by whoever gives them back

struct script_stock {
    pthread_t thread;
    bool running;               // the thread
    struct script_cache *cache; // of the thread alone

    pthread_mutex_t lock; // guards what follows
    pthread_cond_t work;
    char *hash, *name, *text;
    size_t len;
    unsigned taken;   // of this text, since the last one was made ready
    uint64_t version; // of the text
    VEC(struct script *) ready;
    VEC(struct script *) dead;
    bool stopping;
};

static bool wants_more(const struct script_stock *s)
{
    return s->text && s->taken > 0 && s->ready.len < READY_MAX;
}

// Makes one. The lock is held, and free meanwhile.
static void make(struct script_stock *s)
{
    AUTO_FREE char *name = str_dup(s->name), *text = str_ndup(s->text, s->len);
    size_t len = s->len;
    uint64_t version = s->version;
    s->taken--;
    pthread_mutex_unlock(&s->lock);
    struct script_limits limits = {.cache = s->cache};
    struct script *script = NULL;
    int r = script_load(text, len, name, &limits, &script, NULL);
    pthread_mutex_lock(&s->lock);
    if (r < 0)
        return; // whoever starts it hears why
    if (version == s->version)
        vec_push(&s->ready, script);
    else
        vec_push(&s->dead, script);
}

static void close_dead(struct script_stock *s)
{
    VEC(struct script *) dead = {s->dead.items, s->dead.len, s->dead.cap};
    s->dead.items = NULL;
    s->dead.len = s->dead.cap = 0;
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < dead.len; i++)
        script_free(dead.items[i]);
    vec_free(&dead);
    pthread_mutex_lock(&s->lock);
}

static void *work(void *user)
{
    struct script_stock *s = user;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        if (wants_more(s))
            make(s);
        else if (s->dead.len)
            close_dead(s);
        else
            pthread_cond_wait(&s->work, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void start(struct script_stock *s)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); // signals are for the loop's thread
    s->running = pthread_create(&s->thread, NULL, work, s) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void drop_ready(struct script_stock *s)
{
    for (size_t i = 0; i < s->ready.len; i++)
        vec_push(&s->dead, s->ready.items[i]);
    s->ready.len = 0;
}

struct script_stock *script_stock_new(void)
{
    struct script_stock *s = mem_alloc(sizeof(*s));
    s->cache = script_cache_new();
    must(pthread_mutex_init(&s->lock, NULL) == 0 && pthread_cond_init(&s->work, NULL) == 0);
    return s;
}

struct script_stock *script_stock_free(struct script_stock *s)
{
    if (!s)
        return NULL;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    if (s->running)
        pthread_join(s->thread, NULL);
    drop_ready(s);
    for (size_t i = 0; i < s->dead.len; i++)
        script_free(s->dead.items[i]);
    vec_free(&s->ready);
    vec_free(&s->dead);
    script_cache_free(s->cache);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->work);
    mem_free(s->hash);
    mem_free(s->name);
    mem_free(s->text);
    mem_free(s);
    return NULL;
}

static bool has(const struct script_stock *s, const char *hash, const char *name)
{
    return s->text && str_eq(s->hash, hash) && str_eq(s->name, name);
}

struct script *script_stock_take(struct script_stock *s, const char *hash, const char *name)
{
    struct script *script = NULL;
    pthread_mutex_lock(&s->lock);
    if (has(s, hash, name)) {
        s->taken += s->taken < READY_MAX;
        if (s->ready.len)
            script = s->ready.items[--s->ready.len];
        if (!s->running)
            start(s);
        pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
    return script;
}

void script_stock_tell(struct script_stock *s, const char *hash, const char *name, const char *text, size_t len)
{
    pthread_mutex_lock(&s->lock);
    if (!has(s, hash, name)) {
        drop_ready(s);
        mem_free(s->text);
        s->text = str_ndup(text, len);
        s->len = len;
        str_set(&s->hash, hash);
        str_set(&s->name, name);
        s->taken = 0;
        s->version++;
    }
    pthread_mutex_unlock(&s->lock);
}

struct script *script_stock_give_back(struct script_stock *s, struct script *script)
{
    if (!script)
        return NULL;
    pthread_mutex_lock(&s->lock);
    bool later = s->running && s->dead.len < DEAD_MAX;
    if (later) {
        vec_push(&s->dead, script);
        pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
    return later ? NULL : script_free(script);
}
