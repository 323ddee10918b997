// Text from a worker is cleaned, never trusted: what ends in the frontmatter is one line, what ends in the body has no
// control characters. A worker's mistake in form refuses the draft (the engine then writes a blocked one); too much of
// it is cut.
#include "handoff/handoff.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/budget.h"
#include "handoff/text.h"
#include "handoff/verdict.h"
#include "roles/roles.h"

#include <string.h>

#define NAME_MAX_BYTES 120

static const char *const draft_keys[] = {"status",   "summary",  "verdict",    "next_agent", "next_task", "output",
                                         "sections", "blockers", "acceptance", "artifacts",  "receipts",  "worker"};

static int refuse_unknown(const json_t *object, const char *const *keys, size_t count, const char *what,
                          struct err *err)
{
    void *it = json_object_iter((json_t *)(uintptr_t)object);
    for (; it; it = json_object_iter_next((json_t *)(uintptr_t)object, it)) {
        size_t i = 0;
        while (i < count && !str_eq(keys[i], json_object_iter_key(it)))
            i++;
        if (i == count) {
            AUTO_FREE char *key = text_line_new(json_object_iter_key(it), NAME_MAX_BYTES);
            return err_set(err, ERR_INVALID, "%s has the unknown key '%s'", what, key);
        }
    }
    return 0;
}

// Member that is a string, null or absent (then NULL).
static int read_text(const json_t *object, const char *key, const char *what, size_t max, const char **ret,
                     struct err *err)
{
    const json_t *v = json_object_get(object, key);
    if (v && !json_is_null(v) && !json_is_string(v))
        return err_set(err, ERR_INVALID, "%s: '%s' must be a string or null", what, key);
    *ret = json_string_value(v);
    if (json_string_length(v) > max)
        return err_set(err, ERR_LIMIT, "%s: '%s' is longer than %zu bytes", what, key, max);
    return 0;
}

static int read_list(const json_t *draft, const char *key, size_t max, json_t **ret, struct err *err)
{
    json_t *v = json_object_get(draft, key);
    if (v && !json_is_null(v) && !json_is_array(v))
        return err_set(err, ERR_INVALID, "draft: '%s' must be a list", key);
    if (json_array_size(v) > max)
        return err_set(err, ERR_LIMIT, "draft: '%s' has %zu entries; expected at most %zu", key, json_array_size(v),
                       max);
    *ret = json_is_array(v) ? v : NULL;
    return 0;
}

static void put_line(json_t *h, const char *key, const char *text, size_t max)
{
    AUTO_FREE char *line = text ? text_line_new(text, max) : NULL;
    json_put_str(h, key, line && *line ? line : NULL);
}

static int put_status(json_t *h, const json_t *draft, struct err *err)
{
    static const char *const known[] = {"completed", "blocked", "needs_discussion"};
    const char *status = json_str(draft, "status", NULL);
    for (size_t i = 0; status && i < ARRAY_LEN(known); i++)
        if (str_eq(status, known[i])) {
            json_put_str(h, "status", status);
            return 0;
        }
    return err_set(err, ERR_INVALID, "draft: 'status' is '%.40s'; expected completed, blocked or needs_discussion",
                   status ? status : "");
}

static int put_verdict(json_t *h, const json_t *draft, const char *role, struct err *err)
{
    const char *verdict = NULL;
    int r = read_text(draft, "verdict", "draft", NAME_MAX_BYTES, &verdict, err);
    if (r < 0)
        return r;
    const char *word = verdict ? verdict_word(role, verdict) : NULL;
    if (verdict && !str_eq(word, verdict))
        return err_set(err, ERR_INVALID, "draft: 'verdict' is '%s', which no %s gives", verdict, role ? role : "agent");
    json_put_str(h, "verdict", verdict);
    return 0;
}

static int put_summary(json_t *h, const json_t *draft, struct err *err)
{
    const char *summary = NULL, *blockers = NULL;
    int r = read_text(draft, "summary", "draft", HANDOFF_TEXT_MAX, &summary, err);
    if (r >= 0)
        r = read_text(draft, "blockers", "draft", HANDOFF_TEXT_MAX, &blockers, err);
    if (r < 0)
        return r;
    AUTO_FREE char *line = text_line_new(summary ? summary : "", HANDOFF_SUMMARY_MAX);
    if (!*line && blockers) {
        mem_free(line);
        line = text_line_new(blockers, HANDOFF_SUMMARY_MAX);
    }
    if (!*line)
        return err_set(err, ERR_INVALID,
                       "draft: 'summary' is empty; expected one line that says what was found or done");
    json_put_str(h, "summary", line);
    return 0;
}

static int put_sections(json_t *h, const json_t *draft, struct err *err)
{
    static const char *const keys[] = {"label", "text"};
    json_t *list = NULL, *out = json_array();
    json_put(h, "sections", out);
    int r = read_list(draft, "sections", HANDOFF_SECTIONS_MAX, &list, err);
    for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
        const json_t *section = json_array_get(list, i);
        const char *label = NULL, *text = NULL;
        if (!json_is_object(section))
            return err_set(err, ERR_INVALID, "draft: section %zu is not an object with 'label' and 'text'", i + 1);
        if ((r = refuse_unknown(section, keys, ARRAY_LEN(keys), "a section", err)) < 0 ||
            (r = read_text(section, "label", "section", HANDOFF_LABEL_MAX, &label, err)) < 0 ||
            (r = read_text(section, "text", "section", HANDOFF_TEXT_MAX, &text, err)) < 0)
            return r;
        AUTO_FREE char *clean = text_line_new(label ? label : "", HANDOFF_LABEL_MAX);
        if (!*clean || strchr(clean, '*') || str_ends(clean, ":") || !str_eq(clean, label))
            return err_set(err, ERR_INVALID,
                           "draft: the label of section %zu must be one line without '*', not ending in ':'", i + 1);
        AUTO_FREE char *block = text_block_new(text ? text : "");
        json_t *entry = json_object();
        json_put_str(entry, "label", clean);
        json_put_str(entry, "text", block);
        json_array_append_new(out, entry);
    }
    return r;
}

static int put_blockers(json_t *h, const json_t *draft, struct err *err)
{
    const char *blockers = NULL;
    int r = read_text(draft, "blockers", "draft", HANDOFF_TEXT_MAX, &blockers, err);
    if (r < 0)
        return r;
    AUTO_FREE char *block = text_block_new(blockers ? blockers : "");
    bool blocked = str_eq(json_str(h, "status", NULL), "blocked");
    if (blocked)
        json_put_str(h, "blockers", *block ? block : json_str(h, "summary", ""));
    else
        json_put(h, "blockers", json_null());
    if (!blocked && *block) { // the format has blockers for blocked stages only
        json_t *entry = json_object();
        json_put_str(entry, "label", "Open Points");
        json_put_str(entry, "text", block);
        json_array_append_new(json_list(h, "sections"), entry);
    }
    return 0;
}

static int put_acceptance(json_t *h, const json_t *draft, struct err *err)
{
    json_t *list = NULL, *out = json_array();
    json_put(h, "acceptance", out);
    int r = read_list(draft, "acceptance", HANDOFF_ITEMS_MAX, &list, err);
    for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
        const char *item = json_string_value(json_array_get(list, i));
        if (!item)
            return err_set(err, ERR_INVALID, "draft: acceptance criterion %zu is not a string", i + 1);
        AUTO_FREE char *line = text_line_new(item, HANDOFF_ITEM_MAX);
        if (*line)
            json_add_str(out, line);
    }
    return r;
}

static bool is_hash(const char *s)
{
    return s && strlen(s) == 64 && s[strspn(s, "0123456789abcdef")] == '\0';
}

static int put_artifact(json_t *out, const json_t *a, const struct handoff_store *store, struct err *err)
{
    static const char *const keys[] = {"name", "media", "path", "hash", "bytes"};
    if (!json_is_object(a))
        return err_set(err, ERR_INVALID, "draft: an artifact is not an object");
    int r = refuse_unknown(a, keys, ARRAY_LEN(keys), "an artifact", err);
    const char *name = NULL, *media = NULL, *path = NULL, *given = NULL;
    if (r < 0 || (r = read_text(a, "name", "artifact", NAME_MAX_BYTES, &name, err)) < 0 ||
        (r = read_text(a, "media", "artifact", NAME_MAX_BYTES, &media, err)) < 0 ||
        (r = read_text(a, "path", "artifact", 4096, &path, err)) < 0 ||
        (r = read_text(a, "hash", "artifact", 64, &given, err)) < 0)
        return r;
    AUTO_FREE char *clean = text_line_new(name ? name : "", NAME_MAX_BYTES);
    if (!*clean || !str_eq(clean, name))
        return err_set(err, ERR_INVALID, "draft: an artifact needs a 'name' of one line, not '%s'", clean);
    char hash[65] = "";
    int64_t bytes = json_int(a, "bytes", -1);
    if (path && store && store->put_file) {
        if (store->put_file(store->context, path, hash, &bytes, err) < 0)
            return err_wrap(err, "artifact '%s'", name);
    } else if (is_hash(given) && bytes >= 0) {
        memcpy(hash, given, sizeof(hash));
    } else {
        return err_set(err, ERR_INVALID, "draft: artifact '%s' must name a file as 'path', or 'hash' and 'bytes'",
                       name);
    }
    json_t *entry = json_object();
    json_put_str(entry, "name", name);
    put_line(entry, "media", media ? media : "application/octet-stream", NAME_MAX_BYTES);
    json_put_str(entry, "hash", hash);
    json_put_int(entry, "bytes", bytes);
    json_array_append_new(out, entry);
    return 0;
}

static int put_artifacts(json_t *h, const json_t *draft, const struct handoff_store *store, struct err *err)
{
    json_t *list = NULL, *out = json_array();
    json_put(h, "artifacts", out);
    int r = read_list(draft, "artifacts", HANDOFF_ARTIFACTS_MAX, &list, err);
    for (size_t i = 0; r >= 0 && i < json_array_size(list); i++)
        r = put_artifact(out, json_array_get(list, i), store, err);
    return r;
}

static int put_identity(json_t *h, const struct handoff_facts *facts, struct err *err)
{
    char id[HANDOFF_ID_MAX];
    if (facts->id && !handoff_id_valid(facts->id))
        return err_set(err, ERR_INVALID, "'%.100s' is not a handoff id; expected YYYY-MM-DDTHH-MM-SS-role", facts->id);
    if (facts->id)
        memcpy(id, facts->id, strlen(facts->id) + 1);
    else
        handoff_id_make(facts->wall_ns, facts->role, id);
    json_put_str(h, "id", id);
    json_t *parents = json_array();
    json_put(h, "parent", parents);
    for (const char *const *p = facts->parents; p && *p; p++) {
        if (!handoff_id_valid(*p))
            return err_set(err, ERR_INVALID, "parent '%.100s' is not a handoff id", *p);
        if (json_array_size(parents) == HANDOFF_PARENTS_MAX)
            return err_set(err, ERR_LIMIT, "more than %d parents", HANDOFF_PARENTS_MAX);
        json_add_str(parents, *p);
    }
    json_put_str(h, "agent", facts->role);
    const char *usual = role_agent_name(facts->role);
    put_line(h, "agent_name", facts->agent_name ? facts->agent_name : usual ? usual : facts->role, NAME_MAX_BYTES);
    return 0;
}

static int put_next(json_t *h, const json_t *draft, struct err *err)
{
    const char *agent = NULL, *task = NULL;
    int r = read_text(draft, "next_agent", "draft", NAME_MAX_BYTES, &agent, err);
    if (r >= 0)
        r = read_text(draft, "next_task", "draft", HANDOFF_TEXT_MAX, &task, err);
    if (r < 0)
        return r;
    put_line(h, "next_agent", agent, NAME_MAX_BYTES);
    AUTO_FREE char *block = text_block_new(task ? task : "");
    AUTO_FREE char *cut = text_cut_new(block, HANDOFF_TASK_MAX);
    json_put_str(h, "next_task", cut);
    return 0;
}

static int check_shape(const json_t *draft, struct err *err)
{
    if (!json_is_object(draft))
        return err_set(err, ERR_INVALID, "the draft is not an object");
    int r = refuse_unknown(draft, draft_keys, ARRAY_LEN(draft_keys), "draft", err);
    if (r < 0)
        return r;
    const json_t *output = json_object_get(draft, "output"), *receipts = json_object_get(draft, "receipts");
    const json_t *worker = json_object_get(draft, "worker");
    if (output && !json_is_object(output) && !json_is_null(output))
        return err_set(err, ERR_INVALID, "draft: 'output' must be an object");
    if (receipts && !json_is_array(receipts) && !json_is_null(receipts))
        return err_set(err, ERR_INVALID, "draft: 'receipts' must be a list");
    for (size_t i = 0; i < json_array_size(receipts); i++)
        if (!json_is_object(json_array_get(receipts, i)))
            return err_set(err, ERR_INVALID, "draft: receipt %zu is not an object", i);
    return !worker || json_is_object(worker) || json_is_null(worker)
               ? 0
               : err_set(err, ERR_INVALID, "draft: 'worker' must be an object");
}

int handoff_seal(const json_t *draft, const struct handoff_facts *facts, const struct handoff_store *store,
                 json_t **ret, struct err *err)
{
    struct err inner = {0};
    if (!err)
        err = &inner;
    int r = check_shape(draft, err);
    if (r < 0)
        return r;
    AUTO_JSON json_t *h = json_object();
    if ((r = put_identity(h, facts, err)) < 0 || (r = put_status(h, draft, err)) < 0 ||
        (r = put_verdict(h, draft, facts->role, err)) < 0 || (r = put_summary(h, draft, err)) < 0 ||
        (r = put_next(h, draft, err)) < 0)
        return r;
    const json_t *output = json_obj(draft, "output");
    // What is in it stays the draft's: members are replaced, never changed.
    json_put(h, "output", output ? json_copy((json_t *)(uintptr_t)output) : json_object());
    if ((r = put_sections(h, draft, err)) < 0 || (r = put_blockers(h, draft, err)) < 0 ||
        (r = put_acceptance(h, draft, err)) < 0 || (r = put_artifacts(h, draft, store, err)) < 0)
        return r;
    char created[CLOCK_TEXT_MAX];
    clock_iso(facts->wall_ns, created);
    put_line(h, "run", facts->run, NAME_MAX_BYTES);
    json_put_int(h, "stage", facts->stage);
    json_put_int(h, "attempt", facts->attempt);
    if (facts->depth > 0)
        json_put_int(h, "depth", facts->depth);
    json_put_str(h, "created", created);
    r = budget_fit(h, store, err);
    if (r >= 0)
        *ret = json_incref(h);
    return r < 0 ? r : 0;
}

json_t *handoff_blocked_draft_new(const char *reason, const char *log_tail)
{
    AUTO_BUF struct buf b = BUF_INIT;
    AUTO_JSON json_t *clean = json_text_new(reason ? reason : "", reason ? strlen(reason) : 0);
    AUTO_FREE char *block = text_block_new(json_string_value(clean));
    const char *why = *block ? block : "the worker left no handoff and no reason";
    size_t keep = 2000, len = log_tail ? strlen(log_tail) : 0;
    buf_str_add(&b, why);
    if (len > 0) {
        const char *tail = len > keep ? log_tail + len - keep : log_tail;
        while (len > keep && ((unsigned char)*tail & 0xC0) == 0x80)
            tail++;
        AUTO_JSON json_t *tail_text = json_text_new(tail, strlen(tail));
        AUTO_FREE char *tail_block = text_block_new(json_string_value(tail_text));
        if (*tail_block)
            buf_printf(&b, "\n\nLast output:\n\n```\n%s\n```", tail_block);
    }
    AUTO_FREE char *summary = str_printf("Blocked: %s", why);
    AUTO_FREE char *line = text_line_new(summary, HANDOFF_SUMMARY_MAX);
    json_t *draft = json_object();
    json_put_str(draft, "status", "blocked");
    json_put_str(draft, "summary", line);
    json_put(draft, "verdict", json_null());
    json_put(draft, "next_agent", json_null());
    json_put_str(draft, "next_task", "");
    json_put(draft, "output", json_object());
    json_put(draft, "sections", json_array());
    json_put_str(draft, "blockers", buf_str(&b));
    json_put(draft, "acceptance", json_array());
    json_put(draft, "artifacts", json_array());
    json_put(draft, "receipts", json_array());
    return draft;
}
