---@meta
-- Types of what a workflow sees, for editors with the Lua language server. Never executed. README.md explains them.

---@alias Duration number|string seconds, or "90s", "20m", "2h"
---@alias Outcome "accepted"|"rejected"|"needs_discussion"|"nothing_measurable"|"failed"

---@class Param
---@field default? any
---@field type? "string"|"integer"|"number"|"boolean"|"list"|"object"|"any"
---@field one_of? any[]
---@field about? string
---@field required? boolean

---@class Workflow
---@field run fun(p: table<string, any>): any
---@field about? string
---@field params? table<string, Param|string|number|boolean>
---@field chain? string|string[]
---@field agents? string[]
---@field limits? table

---@class Result
---@field ok boolean status is "completed"
---@field id string id of the handoff
---@field agent string
---@field status "completed"|"blocked"|"needs_discussion"|"failed"|"timed_out"|"cancelled"
---@field verdict? "approved"|"changes_requested"|string
---@field summary string
---@field output table
---@field artifacts table[]
---@field next_agent? string
---@field next_task? string
---@field key? string
---@field stage? integer

---@class Timeouts
---@field queue? Duration until a worker has it
---@field start? Duration until that worker begins
---@field run? Duration since a worker has it
---@field heartbeat? Duration between two signs of progress

---@class Retries
---@field attempts integer in all, the first one included
---@field backoff? Duration before the second attempt, default "1s"
---@field factor? number of the wait from attempt to attempt, default 2
---@field max? Duration longest wait, default "1m"
---@field on? ("lost"|"unavailable"|"timeout"|"io"|"tool"|"limit"|"conflict"|"blocked")[]

---@class Stage
---@field agent string name of an agent file
---@field task? string what it shall do, one line
---@field after? Result|string|(Result|string|nil)[] results whose handoffs it gets
---@field input? table
---@field mode? string overrules the agent's focus table
---@field timeout? Duration|Timeouts
---@field retries? integer|Retries
---@field limits? { money?: number|string, tokens?: integer|string, processes?: integer } what it may use at most; set aside before it begins
---@field repeats? boolean it is meant to be asked the same again: no loop is stopped here
---@field reuse? boolean a finished stage of another run with the same key may answer

---Declares the workflow of this file.
---@param name string
---@return fun(declaration: Workflow)
function workflow(name) end

---Runs one agent and waits for its result.
---@param given Stage
---@return Result
function stage(given) end

---True when the engine reads the wanted verdict (default "approved") from the result.
---@param result Result
---@param want? { verdict: string }
---@return boolean open
---@return string reason
function gate(result, want) end

---Runs functions at the same time: `parallel { f, g, limit = 4 }` or `parallel(list, fn, limit)`.
---@generic T, R
---@param given T[]|(fun(index: integer): R)[]
---@param fn? fun(item: T, index: integer): R
---@param limit? integer
---@return R[]
function parallel(given, fn, limit) end

---Stages in a row, back to the previous place of a reviewer that asks for changes.
---@param steps string|string[]
---@param given? { input?: table, task?: string, max_rounds?: integer, timeout?: Duration }
---@return Result[] results
---@return boolean open
function chain(steps, given) end

---@class Child
---@field workflow string name, or path of a .lua file (from the folder of the file that asks)
---@field params? table
---@field project? string default: the project of the run that asks
---@field key? string a run that has this key already answers
---@field timeout? Duration

---@class ChildResult
---@field ok boolean outcome is "accepted"
---@field outcome string final state of the run
---@field reason? string
---@field result table what it finished with
---@field run string

---Starts another workflow as a run of its own and waits for its end.
---@param given Child
---@return ChildResult
function run_workflow(given) end

---Asks people.
---@param given string|{ question: string, expires?: Duration, about?: any, who?: string|string[], subject?: string|table }
---@return boolean approved
---@return { approved: boolean, by?: string, note?: string, subject?: string } answer
function approve(given) end

---Registers a handler that undoes something when the run fails, is cancelled or takes too long; the newest runs first.
---@param handler fun(why: { outcome: string, reason: string })
---@return fun() forget takes it back
function on_failure(handler) end

---Ends this run and begins the same workflow again with other params and an empty history, as another run. Never returns.
---@param params? table
function continue_as_new(params) end

---Waits for `baton signal RUN NAME [JSON]`. Signals are kept until they are waited for; each is delivered once, in order.
---@param name string
---@param given? { timeout?: Duration }
---@return any value nil when the time was over
---@return boolean came
function signal(name, given) end

---Sets a value that `baton query RUN [NAME]` reads, now and after the end of the run.
---@param name string
---@param value any
function publish(name, value) end

---@param duration Duration
function sleep(duration) end

---Seconds since 1970, the same at a replay.
---@return number
function now() end

---[0, 1); with one number 1..n; with two a..b. The same at a replay.
---@param from? integer
---@param to? integer
---@return number
function random(from, to) end

---The newest run of this workflow on this project that ended so; nil when there is none.
---@param outcome Outcome
---@return { run: string, result: table, finished: number }?
function last_run(outcome) end

---Ends the run.
---@param outcome Outcome
---@param result? any
function finish(outcome, result) end

---Ends the run as failed.
---@param reason? any
function fail(reason) end

---@param ... any
function log(...) end

---@param ... any
function print(...) end

---Marks a table as a list, so that an empty one stays one.
---@generic T
---@param items T[]
---@return T[]
function list(items) end

---Elements of a list in an output, also of one that was too large and moved to an artifact; 0 for nil.
---@param value any
---@return integer
function count(value) end

---The value of JSON's null inside lists.
---@type lightuserdata
null = nil

text = {}

---@param subject string
---@param regex string
---@param init? integer
---@return integer? first
---@return integer? last
function text.find(subject, regex, init) end

---@param subject string
---@param regex string
---@param init? integer
---@return string|false|nil ...
function text.match(subject, regex, init) end

---@param subject string
---@param regex string
---@return any[]
function text.all(subject, regex) end

---@param subject string
---@param regex string
---@param by string|fun(...: string|false): string?
---@param limit? integer
---@return string
---@return integer count
function text.replace(subject, regex, by, limit) end

---@param subject string
---@param separator? string plain text, default ","
---@return string[]
function text.split(subject, separator) end

---@param subject string
---@return string
function text.trim(subject) end

---@param subject string
---@return string[]
function text.lines(subject) end

---@param subject string
---@param prefix string
---@return boolean
function text.starts(subject, prefix) end

---@param subject string
---@param suffix string
---@return boolean
function text.ends(subject, suffix) end
