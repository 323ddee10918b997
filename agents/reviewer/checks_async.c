// Blocking calls in async code. A call counts only when the file's imports say that it is the standard library's (or
// another known blocking one), it stands in an `async fn` or `async` block, and no closure lies between (closures are
// run by spawn_blocking, thread::spawn and the like). `main` may read its configuration as it likes: file calls there
// are not reported.
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/checks_source.h"

#include <string.h>

static const struct {
    const char *path, *instead;
    bool file; // file access: tolerated in main
} BLOCKING[] = {
    {"std::thread::sleep", "`tokio::time::sleep(…).await` or the sleep of your executor", false},
    {"std::fs::read", "`tokio::fs::read(…).await`, or run it in `spawn_blocking`", true},
    {"std::fs::read_to_string", "`tokio::fs::read_to_string(…).await`, or run it in `spawn_blocking`", true},
    {"std::fs::write", "`tokio::fs::write(…).await`, or run it in `spawn_blocking`", true},
    {"std::fs::copy", "`tokio::fs::copy(…).await`, or run it in `spawn_blocking`", true},
    {"std::fs::remove_dir_all", "`tokio::fs::remove_dir_all(…).await`, or run it in `spawn_blocking`", true},
    {"std::fs::read_dir", "`tokio::fs::read_dir(…).await`, or run it in `spawn_blocking`", true},
    {"std::fs::File::open", "`tokio::fs::File::open(…).await`, or run it in `spawn_blocking`", true},
    {"std::fs::File::create", "`tokio::fs::File::create(…).await`, or run it in `spawn_blocking`", true},
    {"std::net::TcpStream::connect", "`tokio::net::TcpStream::connect(…).await`", false},
    {"std::net::TcpListener::bind", NULL, false}, // quick; listed so that nobody adds it
    {"reqwest::blocking::get", "`reqwest::get(…).await`", false},
    {"reqwest::blocking::Client::new", "`reqwest::Client::new()`", false},
    {"futures::executor::block_on", "`.await`", false},
    {"pollster::block_on", "`.await`", false},
};

// Whether token i runs on an executor: the nearest thing around it that is a closure, an async block or a function
// decides.
static bool in_async_code(const struct source *s, uint32_t i)
{
    const struct rust_tokens *t = &s->t;
    uint32_t fn = s->items.function_of[i];
    if (fn == RUST_NONE || s->items.functions[fn].body == RUST_NONE || s->items.excluded[i])
        return false;
    uint32_t begin = s->items.functions[fn].body;
    while (i > begin + 1) {
        i--;
        uint32_t partner = t->items[i].partner;
        if (partner != RUST_NONE && partner < i) {
            i = partner;
            continue;
        }
        if (rust_is_punct(t, i, '{') &&
            (rust_is_ident(t, i - 1, "async") || (rust_is_ident(t, i - 1, "move") && rust_is_ident(t, i - 2, "async"))))
            return true;
        // a bar at this level behind `(`, `,`, `=` or `move` begins a closure whose body we are in (or `||`)
        if (rust_is_punct(t, i, '|') &&
            (rust_is_punct(t, i - 1, '(') || rust_is_punct(t, i - 1, ',') || rust_is_punct(t, i - 1, '=') ||
             rust_is_punct(t, i - 1, '{') || rust_is_punct(t, i - 1, ';') || rust_is_ident(t, i - 1, "move") ||
             rust_is_punct(t, i - 1, '}')))
            return false;
    }
    return s->items.functions[fn].is_async;
}

static void report(const struct source *s, struct findings *f, uint32_t i, const char *what, const char *instead)
{
    AUTO_FREE char *message = str_printf("`%s` blocks inside async code", what);
    source_finding(s, f, CHECK_BLOCKING_ASYNC, i, instead, message);
}

static bool in_main(const struct source *s, uint32_t i)
{
    const struct rust_function *fn = &s->items.functions[s->items.function_of[i]];
    return str_eq(fn->name, "main") && !fn->owner;
}

static void check_path(const struct source *s, struct findings *f, uint32_t i)
{
    AUTO_FREE char *path = full_path(s, i);
    for (size_t n = 0; n < ARRAY_LEN(BLOCKING); n++) {
        if (!str_eq(path, BLOCKING[n].path) || !BLOCKING[n].instead)
            continue;
        if (in_async_code(s, i) && !(BLOCKING[n].file && in_main(s, i)))
            report(s, f, i, path, BLOCKING[n].instead);
        return;
    }
}

// std::process::Command … .output() / .status() in one statement and without .await.
static void check_command(const struct source *s, struct findings *f, uint32_t i)
{
    const struct rust_tokens *t = &s->t;
    AUTO_FREE char *path = full_path(s, i);
    if (!str_eq(path, "std::process::Command::new") || !in_async_code(s, i))
        return;
    uint32_t begin, end;
    statement_around(t, i, &begin, &end);
    for (uint32_t k = i; k + 2 < end + 1; k++)
        if (rust_is_punct(t, k, '.') && rust_is_one_of(t, k + 1, "output status") && rust_is_punct(t, k + 2, '(') &&
            rust_is_punct(t, k + 3, ')') && !(rust_is_punct(t, k + 4, '.') && rust_is_ident(t, k + 5, "await")))
            report(s, f, i, "std::process::Command", "`tokio::process::Command`, or run it in `spawn_blocking`");
}

void check_blocking(const struct source *s, struct findings *f)
{
    const struct rust_tokens *t = &s->t;
    if (!has_ident(t, 0, t->count, "async"))
        return;
    for (uint32_t i = 0; i + 1 < t->count; i++) {
        if (!rust_is_any_ident(t, i) || !rust_is_punct(t, i + 1, '(') || (i > 0 && rust_is_punct(t, i - 1, '.')) ||
            s->items.function_of[i] == RUST_NONE || (i > 0 && rust_is_ident(t, i - 1, "fn")))
            continue;
        if (rust_is_ident(t, i, "new"))
            check_command(s, f, i);
        check_path(s, f, i);
    }
}
