// Schedules: what is to be started when, and up to which time that was dealt with.
#include "store/sql.h"

#include "base/clock.h"

static const struct row_form FORM = {
    "schedules",
    "name cron zone request:j overlap catch_up paused:i created_ns:i handled_ns:i pending_ns:i last_run last_ns:i "
    "outcome:j",
    "name"};

#define COLUMNS                                                                                                        \
    "n, name, cron, zone, request, overlap, catch_up, paused, created, handled, pending, last_run, last, outcome"

int store_schedule_add(struct store *s, const struct store_schedule *schedule, struct err *err)
{
    int r = store_check_id(schedule->name, "the name of the schedule", err);
    if (r < 0)
        return r;
    int64_t now = clock_wall_ns();
    r = sql_run(s, err, "write to",
                "INSERT INTO schedules (name, cron, zone, request, overlap, catch_up, paused, created, handled)"
                " VALUES (?,?,?,?,?,?,0,?,?)",
                "sssjssii", schedule->name, schedule->cron, schedule->zone, schedule->request, schedule->overlap,
                schedule->catch_up, now, now);
    if (r == -ERR_EXISTS)
        return err_set(err, ERR_EXISTS, "a schedule named '%s' exists already; remove it first, or choose another name",
                       schedule->name);
    return r < 0 ? r : 0;
}

json_t *store_schedule_list_new(struct store *s, struct err *err)
{
    return sql_rows_new(s, sql_bind(s, err, "read", "SELECT " COLUMNS " FROM schedules ORDER BY name", ""), &FORM, err);
}

json_t *store_schedule_get_new(struct store *s, const char *name, struct err *err)
{
    return sql_row_new(s, sql_bind(s, err, "read", "SELECT " COLUMNS " FROM schedules WHERE name = ?", "s", name),
                       &FORM, "schedule", name, err);
}

static int changed(int r, const char *name, struct err *err)
{
    return r < 0   ? r
           : r > 0 ? 0
                   : err_set(err, ERR_NOT_FOUND, "there is no schedule '%s'; 'baton schedule list' lists them", name);
}

int store_schedule_remove(struct store *s, const char *name, struct err *err)
{
    return changed(sql_run(s, err, "write to", "DELETE FROM schedules WHERE name = ?", "s", name), name, err);
}

int store_schedule_pause(struct store *s, const char *name, bool paused, struct err *err)
{
    // What would have come meanwhile was not missed: it was not wanted.
    return changed(sql_run(s, err, "write to",
                           "UPDATE schedules SET handled = CASE WHEN paused AND NOT ?1 THEN ?2 ELSE handled END,"
                           " pending = NULL, paused = ?1 WHERE name = ?3",
                           "iis", (int64_t)paused, clock_wall_ns(), name),
                   name, err);
}

int store_schedule_handled(struct store *s, const char *name, int64_t created_ns, int64_t handled_ns,
                           int64_t pending_ns, struct err *err)
{
    int r = sql_run(s, err, "write to",
                    "UPDATE schedules SET handled = ?, pending = nullif(?, 0) WHERE name = ? AND created = ?", "iisi",
                    handled_ns, pending_ns, name, created_ns);
    return r < 0 ? r : 0;
}

int store_schedule_fired(struct store *s, const char *name, int64_t created_ns, const char *run, struct err *err)
{
    int r = sql_run(s, err, "write to", "UPDATE schedules SET last_run = ?, last = ? WHERE name = ? AND created = ?",
                    "sisi", run, clock_wall_ns(), name, created_ns);
    return r < 0 ? r : 0;
}

int store_schedule_outcome(struct store *s, const char *name, int64_t created_ns, const json_t *outcome,
                           struct err *err)
{
    int r = sql_run(s, err, "write to", "UPDATE schedules SET outcome = ? WHERE name = ? AND created = ?", "jsi",
                    outcome, name, created_ns);
    return r < 0 ? r : 0;
}
