// Every era is brought to a map of values (from YAML, frontmatter or JSON) and, for Markdown, a body; then one function
// makes the normalized object of it.
#include "handoff/handoff_read.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff.h"
#include "handoff/labels.h"
#include "handoff/read_parts.h"
#include "handoff/text.h"
#include "handoff/verdict.h"
#include "roles/roles.h"
#include "json/json.h"

#include <string.h>

static const char *const known_keys[] = {
    "id",        "parent",    "parents",    "agent",     "agent_name", "status",        "summary",  "verdict",
    "run",       "stage",     "attempt",    "timestamp", "context",    "review_status", "output",   "next",
    "sections",  "created",   "next_agent", "next_task", "priority",   "next_priority", "blockers", "acceptance",
    "artifacts", "next_role", "status_raw", "era",       "file",       "diagnostics",   "extra"};

static int line_of(const struct read_source *s, const char *key)
{
    AUTO_FREE char *pointer = str_printf("/%s", key);
    return (int)json_int(s->lines, pointer, 0);
}

// Text of a scalar whatever its type: summaries may look like numbers. NULL for null, lists and maps. Owned by the
// caller.
static char *scalar_text(const json_t *v)
{
    if (json_is_string(v))
        return str_dup(json_string_value(v));
    if (json_is_integer(v) || json_is_real(v) || json_is_boolean(v))
        return json_dumps(v, JSON_ENCODE_ANY);
    return NULL;
}

static bool is_nothing(const char *s)
{
    return !s || !*s || str_eq(s, "~") || str_eq_nocase(s, "null") || str_eq_nocase(s, "none");
}

static void put_scalar(json_t *out, const char *key, const json_t *v)
{
    AUTO_FREE char *text = scalar_text(v);
    json_put_str(out, key, text && !is_nothing(str_trim(text)) ? str_trim(text) : NULL);
}

static char *stem_of(const char *file_name)
{
    const char *base = file_name ? path_base(file_name) : "";
    const char *dot = strrchr(base, '.');
    return str_ndup(base, dot && dot != base ? (size_t)(dot - base) : strlen(base));
}

// `{suffix}-{TS}`, the stem of era A0.
static bool is_reversed(const char *stem)
{
    size_t n = strlen(stem);
    if (n < HANDOFF_STAMP_LEN + 2 || n > HANDOFF_ID_MAX - 1 || stem[n - HANDOFF_STAMP_LEN - 1] != '-')
        return false;
    AUTO_FREE char *turned =
        str_printf("%s-%.*s", stem + n - HANDOFF_STAMP_LEN, (int)(n - HANDOFF_STAMP_LEN - 1), stem);
    return handoff_id_valid(turned);
}

static void add_parent(json_t *list, const char *text)
{
    AUTO_FREE char *copy = str_dup(text);
    char *id = str_trim(copy);
    if (!is_nothing(id))
        json_array_append_new(list, json_text_new(id, strlen(id)));
}

static json_t *parents_new(const struct read_source *s)
{
    json_t *list = json_array();
    const json_t *v = json_object_get(s->values, "parent");
    if (!v)
        v = json_object_get(s->values, "parents");
    for (size_t i = 0; i < json_array_size(v); i++) {
        AUTO_FREE char *text = scalar_text(json_array_get(v, i));
        if (text)
            add_parent(list, text);
        else if (!json_is_null(json_array_get(v, i)))
            diag_add(s->diagnostics, line_of(s, "parent"), "warning", "a parent is not an id");
    }
    AUTO_FREE char *text = scalar_text(v);
    size_t n = 0;
    char **parts = str_split(text ? text : "", ",[] \t\n", true, &n);
    for (size_t i = 0; i < n; i++)
        add_parent(list, parts[i]);
    str_list_free(parts);
    if (json_is_object(v))
        diag_add(s->diagnostics, line_of(s, "parent"), "warning",
                 "'parent' is a map; expected null, an id or a list of ids");
    return list;
}

static void put_identity(const struct read_source *s, json_t *out)
{
    AUTO_FREE char *stem = stem_of(s->file_name);
    put_scalar(out, "id", json_object_get(s->values, "id"));
    const char *id = json_str(out, "id", NULL);
    bool stem_is_id = handoff_id_valid(stem) || is_reversed(stem);
    if (!id && stem_is_id) {
        diag_add(s->diagnostics, 0, "warning", "the handoff has no 'id'; its file name is taken");
        json_put_str(out, "id", stem);
    } else if (!id) {
        diag_add(s->diagnostics, 0, "error", "the handoff has no 'id'");
    } else if (!handoff_id_valid(id) && !is_reversed(id)) {
        diag_add(s->diagnostics, line_of(s, "id"), "error", "id '%s' is not of the form YYYY-MM-DDTHH-MM-SS-role", id);
    } else if (*stem && !str_eq(stem, id)) {
        diag_add(s->diagnostics, line_of(s, "id"), "warning",
                 "id '%s' differs from the file's name '%s'; parent links may dangle", id, stem);
    }
    json_put(out, "parent", parents_new(s));
}

static void put_agent(const struct read_source *s, json_t *out)
{
    AUTO_FREE char *written = scalar_text(json_object_get(s->values, "agent"));
    const char *id = json_str(out, "id", NULL), *name = written ? str_trim(written) : NULL;
    const char *suffix = handoff_id_valid(id) ? handoff_id_suffix(id) : NULL;
    if (is_nothing(name)) {
        diag_add(s->diagnostics, 0, "error", "the handoff has no 'agent'%s",
                 suffix ? "; the id's suffix is taken" : "");
        name = suffix;
    }
    const char *role = role_of_agent(name), *bare = name ? role_bare_name(name) : NULL,
               *of_suffix = role_of_agent(suffix);
    if (name && !role)
        diag_add(s->diagnostics, line_of(s, "agent"), "info", "agent '%s' is not a known one", name);
    if (role && of_suffix && !str_eq(role, of_suffix))
        diag_add(s->diagnostics, line_of(s, "agent"), "warning", "agent '%s' does not fit the id's suffix '%s'", name,
                 suffix);
    json_put_str(out, "agent", role ? role : bare);
    put_scalar(out, "agent_name", json_object_get(s->values, "agent_name"));
    if (!json_str(out, "agent_name", NULL))
        json_put_str(out, "agent_name", role && (!name || str_eq(name, role)) ? role_agent_name(role) : name);
}

static const char *known_status(const char *word)
{
    static const char *const words[][2] = {{"completed", "completed"}, {"complete", "completed"},
                                           {"done", "completed"},      {"success", "completed"},
                                           {"blocked", "blocked"},     {"failed", "blocked"},
                                           {"partial", "blocked"},     {"needs_discussion", "needs_discussion"}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq_nocase(word, words[i][0]))
            return words[i][1];
    return NULL;
}

static void put_status(const struct read_source *s, json_t *out)
{
    AUTO_FREE char *written = scalar_text(json_object_get(s->values, "status"));
    const char *role = json_str(out, "agent", NULL);
    char *word = written ? str_trim(written) : NULL;
    for (char *p = word; p && *p; p++)
        *p = *p == '-' || *p == ' ' ? '_' : *p;
    const char *status = word ? known_status(word) : NULL;
    if (status) {
        json_put_str(out, "status", status);
    } else if (word && verdict_word(role, word)) {
        json_put_str(out, "status", "completed");
        diag_add(s->diagnostics, line_of(s, "status"), "info",
                 "status '%s' is a verdict; read as completed with that verdict", word);
    } else {
        json_put_str(out, "status", "needs_discussion");
        diag_add(s->diagnostics, line_of(s, "status"), "error",
                 "status '%s' is not completed, blocked or needs_discussion", word ? word : "");
    }
    if (word && !str_eq(word, json_str(out, "status", NULL)))
        json_put_str(out, "status_raw", word);
    if (word && str_eq_nocase(word, "partial"))
        diag_add(s->diagnostics, line_of(s, "status"), "info",
                 "status 'partial' is read as blocked: the work is not complete");
}

static void put_text(const struct read_source *s, json_t *out)
{
    const json_t *output = json_object_get(s->values, "output"), *top = json_object_get(s->values, "summary");
    AUTO_FREE char *summary = scalar_text(top ? top : json_object_get(output, "summary"));
    AUTO_FREE char *line = text_line_new(summary ? summary : "", 2000);
    json_put_str(out, "summary", line);
    const json_t *context = json_object_get(s->values, "context");
    AUTO_FREE char *context_text = scalar_text(context);
    if (context_text)
        json_put_str(out, "context", context_text);
    else if (json_is_object(context) || json_is_array(context) || !s->body)
        json_put(out, "context", context ? json_incref((json_t *)(uintptr_t)context) : json_null());
    if (json_is_object(output))
        json_put(out, "output", json_incref((json_t *)(uintptr_t)output));
    else
        json_put(out, "output", json_object());
}

static void put_acceptance(json_t *out, const json_t *list)
{
    json_t *texts = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        AUTO_FREE char *item = scalar_text(json_array_get(list, i));
        if (item)
            json_array_append_new(texts, json_text_new(item, strlen(item)));
    }
    AUTO_FREE char *one = scalar_text(list);
    if (one)
        json_add_str(texts, one);
    json_put(out, "acceptance", texts);
}

static void put_next(const struct read_source *s, json_t *out, json_t *extra)
{
    static const char *const known[] = {"agent", "task", "priority", "acceptance_criteria"};
    json_t *next = json_obj(s->values, "next");
    const json_t *agent = json_object_get(next, "agent"), *task = json_object_get(next, "task");
    const json_t *priority = json_object_get(next, "priority"), *flat = json_object_get(s->values, "next_task");
    put_scalar(out, "next_agent", agent ? agent : json_object_get(s->values, "next_agent"));
    json_put_str(out, "next_role", role_of_agent(json_str(out, "next_agent", NULL)));
    AUTO_FREE char *text = scalar_text(task ? task : flat);
    AUTO_FREE char *block = text_block_new(text ? text : "");
    json_put_str(out, "next_task", block);
    if (!priority)
        priority = json_object_get(s->values, "next_priority");
    put_scalar(out, "priority", priority ? priority : json_object_get(s->values, "priority"));
    if (json_object_get(next, "acceptance_criteria"))
        put_acceptance(out, json_object_get(next, "acceptance_criteria"));
    AUTO_JSON json_t *rest = next ? json_copy(next) : NULL;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        json_object_del(rest, known[i]);
    if (json_object_size(rest) > 0)
        json_put(extra, "next", json_incref(rest));
}

static bool is_known(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(known_keys); i++)
        if (str_eq(key, known_keys[i]))
            return true;
    return false;
}

static void put_rest(const struct read_source *s, json_t *out, json_t *extra)
{
    static const char *const lists[] = {"sections", "artifacts"};
    put_scalar(out, "timestamp", json_object_get(s->values, "timestamp"));
    put_scalar(out, "created", json_object_get(s->values, "created"));
    put_scalar(out, "run", json_object_get(s->values, "run"));
    json_put_int(out, "stage", json_int(s->values, "stage", 0));
    json_put_int(out, "attempt", json_int(s->values, "attempt", 0));
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        json_t *v = json_list(s->values, lists[i]);
        if (v || !json_object_get(out, lists[i]))
            json_put(out, lists[i], v ? json_incref(v) : json_array());
    }
    if (json_object_get(s->values, "acceptance"))
        put_acceptance(out, json_object_get(s->values, "acceptance"));
    else if (!json_object_get(out, "acceptance"))
        json_put(out, "acceptance", json_array());
    AUTO_FREE char *blockers = scalar_text(json_object_get(s->values, "blockers"));
    AUTO_FREE char *block = blockers ? text_block_new(blockers) : NULL;
    if (block || !json_object_get(out, "blockers"))
        json_put_str(out, "blockers", block);
    if (!json_object_get(out, "context"))
        json_put(out, "context", json_null());
    json_t *given = json_obj(s->values, "extra");
    if (given && str_eq(s->era, "json"))
        json_object_update(extra, given);
    for (void *it = json_object_iter(s->values); it; it = json_object_iter_next(s->values, it))
        if (!is_known(json_object_iter_key(it)))
            json_object_set(extra, json_object_iter_key(it), json_object_iter_value(it));
}

// A key that should hold a verdict: 1 with *ret set when there is such a key (NULL: unknown word).
static int keyed_verdict(const struct read_source *s, const json_t *object, const char *key, const char *role,
                         const char **ret)
{
    AUTO_FREE char *text = scalar_text(json_object_get(object, key));
    if (!text || is_nothing(str_trim(text)))
        return 0;
    *ret = verdict_word(role, text);
    if (!*ret)
        diag_add(s->diagnostics, line_of(s, key), "warning",
                 "'%s' is '%s', which is no verdict of this role: the gate stays closed", key, text);
    return 1;
}

static void put_verdict(const struct read_source *s, json_t *out)
{
    const char *role = json_str(out, "agent", NULL), *verdict = NULL;
    const json_t *output = json_obj(s->values, "output");
    bool known = keyed_verdict(s, s->values, "verdict", role, &verdict) ||
                 keyed_verdict(s, s->values, "review_status", role, &verdict) ||
                 keyed_verdict(s, output, "review_status", role, &verdict) ||
                 keyed_verdict(s, output, "verdict", role, &verdict);
    if (!known) {
        AUTO_FREE char *status = scalar_text(json_object_get(s->values, "status"));
        verdict = status && !known_status(status) ? verdict_word(role, status) : NULL;
    }
    bool speaks = verdict_is_gate(role) || str_eq(role, "debug");
    if (!known && !verdict && speaks && s->body) {
        AUTO_FREE char *value = body_verdict_new(s->body, s->body_len);
        verdict = value ? verdict_leading(role, value) : NULL;
        known = value != NULL;
    }
    if (!known && !verdict && speaks)
        verdict = verdict_leading(role, json_str(out, "summary", ""));
    if (!verdict && verdict_is_gate(role))
        diag_add(s->diagnostics, 0, "warning", "no verdict found: a gate is not passed");
    json_put_str(out, "verdict", verdict);
}

static const char *find_era(const struct read_source *s, const json_t *out)
{
    AUTO_FREE char *stem = stem_of(s->file_name);
    if (s->era)
        return s->era;
    if (s->body)
        return json_object_get(s->values, "next_priority") ? "C" : "D";
    if (is_reversed(stem) || is_reversed(json_str(out, "id", "")))
        return "A0";
    const char *agent = json_str(s->values, "agent", ""), *status = json_str(s->values, "status", "");
    const json_t *output = json_obj(s->values, "output"), *bench = json_list(output, "benchmarks");
    const json_t *before = json_object_get(json_array_get(bench, 0), "before");
    bool old = str_eq(agent, "code-reviewer") || str_eq(agent, "debugger") || str_eq(status, "partial") ||
               json_is_string(before) || json_object_get(output, "files_modified") ||
               str_eq(json_str(json_obj(s->values, "next"), "priority", ""), "critical");
    return old ? "A" : "B";
}

// The paragraphs that our writer made from summary and verdict are no sections.
static void drop_own_labels(json_t *out)
{
    const struct role_labels *labels = role_labels_of(json_str(out, "agent", NULL));
    AUTO_FREE char *verdict = str_printf("`%s`", json_str(out, "verdict", ""));
    json_t *sections = json_list(out, "sections");
    for (size_t i = 0; i < json_array_size(sections);) {
        const char *label = json_str(json_array_get(sections, i), "label", ""),
                   *text = json_str(json_array_get(sections, i), "text", "");
        bool own = (str_eq(label, labels->summary) && str_eq(text, json_str(out, "summary", ""))) ||
                   (str_eq(label, labels->verdict) && str_eq(text, verdict));
        if (own)
            json_array_remove(sections, i);
        else
            i++;
    }
}

json_t *read_normalize_new(const struct read_source *source, json_t *headings)
{
    json_t *out = json_object();
    AUTO_JSON json_t *extra = json_object();
    bool ours = source->body && json_object_get(source->values, "run") && json_object_get(source->values, "stage");
    put_identity(source, out);
    put_agent(source, out);
    put_status(source, out);
    if (source->body)
        body_parse(source->body, source->body_len, ours, out, headings);
    put_text(source, out);
    put_next(source, out, extra);
    put_rest(source, out, extra);
    put_verdict(source, out);
    if (ours)
        drop_own_labels(out);
    json_put(out, "extra", json_incref(extra));
    json_put_str(out, "era", find_era(source, out));
    json_put_str(out, "file", source->file_name);
    json_put(out, "diagnostics", json_incref(source->diagnostics));
    return out;
}

static bool has_extension(const char *file_name, const char *a, const char *b)
{
    return str_ends(file_name, a) || (b && str_ends(file_name, b));
}

// A text without a file name: Markdown when something stands behind a closed frontmatter.
static bool looks_like_markdown(const char *text, size_t len)
{
    struct front f;
    AUTO_JSON json_t *ignored = json_array();
    front_split(text, len, &f, ignored);
    return f.fenced && f.body_len > 0;
}

json_t *handoff_read_new(const char *text, size_t len, const char *file_name, struct err *err)
{
    const char *what = file_name ? file_name : "handoff";
    if (len > HANDOFF_FILE_MAX || !str_utf8_valid(text, len)) {
        err_set(err, len > HANDOFF_FILE_MAX ? ERR_LIMIT : ERR_PARSE, "'%s' is %s", what,
                len > HANDOFF_FILE_MAX ? "larger than 1 MiB" : "not UTF-8 text");
        return NULL;
    }
    AUTO_JSON json_t *lines = json_object(), *diagnostics = json_array(), *headings = json_array(), *values = NULL;
    struct read_source s = {.lines = lines, .diagnostics = diagnostics, .file_name = file_name};
    bool yaml_name = has_extension(file_name, ".yaml", ".yml"), md_name = has_extension(file_name, ".md", ".markdown");
    if (has_extension(file_name, ".json", NULL)) {
        s.era = "json";
        values = json_parse_new(text, len, what, err);
        if (values && !json_is_object(values)) {
            err_set(err, ERR_PARSE, "'%s' is not a JSON object", what);
            return NULL;
        }
    } else if (yaml_name || (!md_name && !looks_like_markdown(text, len) && !memmem(text, len, "## Handoff", 10))) {
        values = front_parse_new(text, len, 1, lines, diagnostics);
    } else {
        struct front f;
        front_split(text, len, &f, diagnostics);
        if (!f.fenced)
            return handoff_read_reply_new(text, len, err);
        values = front_parse_new(f.yaml, f.yaml_len, f.yaml_line, lines, diagnostics);
        s.body = f.body;
        s.body_len = f.body_len;
    }
    if (values && json_object_size(values) == 0)
        err_set(err, ERR_PARSE,
                "'%s' holds no handoff: no key was found; expected 'id:', 'agent:', 'status:' and others", what);
    if (!values || json_object_size(values) == 0)
        return NULL;
    s.values = values;
    return read_normalize_new(&s, headings);
}

json_t *handoff_read_file_new(const char *path, struct err *err)
{
    AUTO_FREE char *text = NULL;
    size_t len = 0;
    return file_read(path, HANDOFF_FILE_MAX, &text, &len, err) < 0 ? NULL
                                                                   : handoff_read_new(text, len, path_base(path), err);
}
