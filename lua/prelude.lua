-- What a workflow sees. Loaded before every script; `host` is the narrow door to C and stays local.
-- The documentation is README.md, the types an editor reads are in baton.d.lua.
local host = ...
local call, raise, regex = host.call, host.raise, host.regex
local type, ipairs, pairs, select, tostring, tonumber = type, ipairs, pairs, select, tostring, tonumber
local setmetatable, rawget, mathtype = setmetatable, rawget, math.type
local concat, sort, pack, unpack = table.concat, table.sort, table.pack, table.unpack
local sub, byte, find, format, lower = string.sub, string.byte, string.find, string.format, string.lower
local floor, huge = math.floor, math.huge

null = host.null

local function fault(message, ...)
  raise(select("#", ...) > 0 and format(message, ...) or message)
end

-- Text ------------------------------------------------------------------------------------------

text = {}

local function need_text(what, value)
  if type(value) ~= "string" then fault("%s: expected a text, got %s", what, type(value)) end
end

-- Captures of a match as values: the whole match when there are no groups.
local function captures(subject, at)
  if at.n <= 2 then return sub(subject, at[1], at[2] - 1) end
  local out, n = {}, 0
  for i = 3, at.n, 2 do
    n = n + 1
    out[n] = at[i] and sub(subject, at[i], at[i + 1] - 1) or false
  end
  return unpack(out, 1, n)
end

function text.find(subject, pattern, init)
  local first, behind = regex(subject, pattern, init)
  if first then return first, behind - 1 end
end

function text.match(subject, pattern, init)
  local at = pack(regex(subject, pattern, init))
  if at.n > 0 then return captures(subject, at) end
end

-- Calls fn(at) for each match; `at` has the positions.
local function each_match(subject, pattern, fn)
  local init = 1
  while init <= #subject + 1 do
    local at = pack(regex(subject, pattern, init))
    if at.n == 0 or fn(at) == false then return end
    init = at[2]
    if at[1] == at[2] then -- an empty match: go on behind the next character
      init = init + 1
      while (byte(subject, init) or 0) & 0xC0 == 0x80 do init = init + 1 end
    end
  end
end

function text.all(subject, pattern)
  local out = {}
  each_match(subject, pattern, function(at)
    if at.n <= 4 then
      out[#out + 1] = captures(subject, at)
    else
      out[#out + 1] = host.list({ captures(subject, at) })
    end
  end)
  return host.list(out)
end

function text.replace(subject, pattern, by, limit)
  local out, last, count = {}, 1, 0
  each_match(subject, pattern, function(at)
    if count == (limit or huge) then return false end
    count = count + 1
    local new = by
    if type(by) == "function" then new = by(captures(subject, at)) end
    if new == nil or new == false then new = sub(subject, at[1], at[2] - 1) end
    out[#out + 1] = sub(subject, last, at[1] - 1)
    out[#out + 1] = tostring(new)
    last = at[2]
  end)
  out[#out + 1] = sub(subject, last)
  return concat(out), count
end

function text.split(subject, separator)
  need_text("text.split", subject)
  if separator == nil then separator = "," end
  if separator == "" then fault("text.split: the separator is empty") end
  local out, from = {}, 1
  while true do
    local first, last = find(subject, separator, from, true)
    out[#out + 1] = sub(subject, from, first and first - 1)
    if not first then return host.list(out) end
    from = last + 1
  end
end

function text.trim(subject)
  local first, last = text.find(subject, "(?s)\\S(?:.*\\S)?")
  return first and sub(subject, first, last) or ""
end

function text.lines(subject)
  local out = text.split(subject, "\n")
  if out[#out] == "" then out[#out] = nil end
  return out
end

function text.starts(subject, prefix) return sub(subject, 1, #prefix) == prefix end

function text.ends(subject, suffix) return suffix == "" or sub(subject, -#suffix) == suffix end

-- Checks ----------------------------------------------------------------------------------------

local function names(set)
  local out = {}
  for key in pairs(set) do out[#out + 1] = tostring(key) end
  sort(out)
  return concat(out, ", ")
end

-- `known` maps a key to the type it must have (several with "|"), or to true.
local function check_keys(what, given, known)
  if type(given) ~= "table" then fault("%s: expected a table, got %s", what, type(given)) end
  for key, value in pairs(given) do
    local want = known[key]
    if not want then fault("%s: unknown key '%s'; known keys: %s", what, tostring(key), names(known)) end
    if want ~= true and not find("|" .. want .. "|", "|" .. type(value) .. "|", 1, true) then
      fault("%s: '%s' must be a %s, not a %s", what, key, text.replace(want, "\\|", " or "), type(value))
    end
  end
end

local function need(what, given, key)
  if given[key] == nil then fault("%s: '%s' is missing", what, key) end
  return given[key]
end

local UNITS = { ms = 1, s = 1000, m = 60000, min = 60000, h = 3600000, d = 86400000 }

-- Milliseconds of 90, "90s", "20m", "2h", "500ms", "1d".
local function duration(what, value)
  local number, unit = value, "s"
  if type(value) == "string" then
    local digits
    digits, unit = text.match(value, "^\\s*([0-9]{1,12}(?:\\.[0-9]{1,6})?)\\s*(ms|s|min|m|h|d)\\s*$")
    number = tonumber(digits)
  end
  if type(number) ~= "number" or not (number >= 0 and number * UNITS[unit] <= 366 * UNITS.d) then
    fault('%s: expected seconds or a text like "90s", "20m", "2h" (at most a year), got %s', what, tostring(value))
  end
  return floor(number * UNITS[unit])
end

-- "a → [b] -> **c** (if changes)" as a list of names.
local function chain_names(what, value)
  if type(value) == "string" then value = text.split((text.replace(value, "→", "->")), "->") end
  if type(value) ~= "table" then fault('%s: expected a text like "a -> b", or a list of names', what) end
  local out = {}
  for i, step in ipairs(value) do
    need_text(what, step)
    local name = text.match(step, "^[\\s\\[*`]*([A-Za-z0-9][\\w.:-]*)[\\]*`]*\\s*(?:\\([^()]*\\))?\\s*$")
    if not name then fault("%s: step %d '%s' is no agent name", what, i, text.trim(step)) end
    out[i] = name
  end
  if #out == 0 then fault("%s: no steps", what) end
  return host.list(out)
end

-- Waits for the host. A failed call is raised at the line of the script.
local function ask(op, args)
  local ok, answer = call(op, args)
  if not ok then raise(answer) end
  if answer == null then return nil end
  return answer
end

-- Declaration -----------------------------------------------------------------------------------

local TYPES = { string = true, integer = true, number = true, boolean = true, list = true, object = true, any = true }
local PARAM_KEYS = { default = true, type = "string", one_of = "table", about = "string", required = "boolean" }
local WORKFLOW_KEYS = {
  about = "string", params = "table", chain = "string|table", agents = "table", limits = "table", run = "function",
}

local function type_of(value)
  local kind = mathtype(value)
  if kind then return kind == "integer" and "integer" or "number" end
  if type(value) == "table" then return #value > 0 and "list" or "object" end
  return type(value)
end

local function declare_param(name, given)
  local what = "param '" .. tostring(name) .. "'"
  if type(name) ~= "string" or not text.find(name, "^[a-z][a-z0-9_]*$") then
    fault("%s: a name has small letters, digits and '_'", what)
  end
  if type(given) ~= "table" then given = { default = given } end
  check_keys(what, given, PARAM_KEYS)
  local sample = given.default
  if sample == nil and given.one_of then sample = given.one_of[1] end
  local kind = given.type or (sample ~= nil and type_of(sample)) or "string"
  if not TYPES[kind] then fault("%s: unknown type '%s'; known types: %s", what, kind, names(TYPES)) end
  if given.one_of then
    local found = given.default == nil
    for _, choice in ipairs(given.one_of) do found = found or choice == given.default end
    if not found then fault("%s: the default '%s' is not in one_of", what, tostring(given.default)) end
  end
  return {
    type = kind, default = given.default, about = given.about, required = given.required or false,
    one_of = given.one_of and host.list(given.one_of),
  }
end

-- Params with an error for a name that was not declared, instead of nil.
local function guard_params(given, declared)
  return setmetatable({}, {
    __index = function(_, key)
      if not declared[key] then fault("unknown param '%s'; declared: %s", tostring(key), names(declared)) end
      return given[key]
    end,
    __pairs = function() return pairs(given) end,
    __newindex = function(_, key) fault("param '%s' cannot be set", tostring(key)) end,
  })
end

function workflow(name)
  need_text("workflow", name)
  return function(given)
    local what = "workflow \"" .. name .. "\""
    check_keys(what, given, WORKFLOW_KEYS)
    need(what, given, "run")
    local params, agents, seen = {}, {}, {}
    for key, value in pairs(given.params or {}) do params[key] = declare_param(key, value) end
    local chain = given.chain and chain_names(what .. ", chain", given.chain) or host.list({})
    for _, source in ipairs({ chain, given.agents or {} }) do
      for _, agent in ipairs(source) do
        need_text(what .. ", agents", agent)
        if not seen[agent] then agents[#agents + 1] = agent end
        seen[agent] = true
      end
    end
    host.declare({
      name = name, about = given.about or "", params = params, chain = chain, agents = host.list(agents),
      limits = given.limits or {},
    }, function(p) return given.run(guard_params(p, params)) end)
  end
end

-- Stages ----------------------------------------------------------------------------------------

local STAGE_KEYS = {
  agent = "string", task = "string", after = "table|string", input = "table", mode = "string",
  timeout = "number|string|table", retries = "number|table", reuse = "boolean", repeats = "boolean", limits = "table",
}

local RESULT = "a result of stage"

-- One result, one handoff id, or a list of them, as a list of ids.
local function parents(value)
  local out = {}
  if value == nil then return host.list(out) end
  local many = type(value) == "table" and value.agent == nil and value.id == nil
  for i, parent in pairs(many and value or { value }) do -- holes are allowed: { profile, verdict_or_nil }
    local id = parent
    if type(parent) == "table" then id = rawget(parent, "id") end
    if type(id) ~= "string" then fault("stage: 'after' number %s is not %s and no handoff id", tostring(i), RESULT) end
    out[#out + 1] = id
  end
  return host.list(out)
end

local function complete_result(result, agent)
  if type(result) ~= "table" then fault("stage '%s': the answer is no result", agent) end
  result.agent = result.agent or agent
  result.status = result.status or "blocked"
  if result.ok == nil then result.ok = result.status == "completed" end
  if type(result.output) ~= "table" then result.output = {} end
  if type(result.artifacts) ~= "table" then result.artifacts = host.list({}) end
  result.summary = result.summary or ""
  return result
end

-- `input = p` passes the params on: they are seen through a guard, and only what lies in a table crosses the border.
local function plain(input)
  local out = {}
  for key, value in pairs(input or {}) do out[key] = value end
  return out
end

local SPAN = "number|string"
local TIMEOUT_KEYS = { queue = SPAN, start = SPAN, run = SPAN, heartbeat = SPAN }
local RETRY_KEYS = { attempts = "number", backoff = SPAN, factor = "number", max = SPAN, on = "table" }

local function whole(what, value, from, to)
  if type(value) ~= "number" or value < from or value > to or value ~= floor(value) then
    fault("%s must be a whole number from %d to %d, not %s", what, from, to, tostring(value))
  end
  return floor(value)
end

-- timeout = 90, "20m" or { queue =, start =, run =, heartbeat = }: milliseconds, or a table of them.
local function spans(value)
  if type(value) ~= "table" then return value and duration("stage, timeout", value) end
  check_keys("stage, timeout", value, TIMEOUT_KEYS)
  local out = {}
  for key, span in pairs(value) do
    local ms = duration("stage, timeout." .. key, span)
    if ms == 0 then fault("stage, timeout.%s: must be more than 0", key) end
    out[key .. "_ms"] = ms
  end
  return nil, out
end

-- retries = 3 or { attempts =, backoff =, factor =, max =, on = }: a number, or a table.
local function attempts(value)
  if type(value) ~= "table" then return value and whole("stage: 'retries'", value, 0, 100) end
  check_keys("stage, retries", value, RETRY_KEYS)
  local factor = value.factor or 2
  if not (factor >= 1 and factor <= 100) then fault("stage, retries: 'factor' must be from 1 to 100") end
  for _, class in ipairs(value.on or {}) do
    if not host.failures[class] then
      fault("stage, retries: unknown failure '%s'; there are: %s", tostring(class), names(host.failures))
    end
  end
  return nil, {
    attempts = whole("stage, retries: 'attempts'", need("stage, retries", value, "attempts"), 1, 100), factor = factor,
    backoff_ms = duration("stage, retries.backoff", value.backoff or "1s"),
    max_ms = duration("stage, retries.max", value.max or "1m"), on = value.on and host.list(value.on),
  }
end

function stage(given)
  check_keys("stage", given, STAGE_KEYS)
  local agent = need("stage", given, "agent")
  local timeout_ms, timeouts = spans(given.timeout)
  local retries, retry = attempts(given.retries)
  return complete_result(ask("stage", {
    agent = agent, task = given.task, after = parents(given.after), input = plain(given.input), mode = given.mode,
    timeout_ms = timeout_ms, timeouts = timeouts, retries = retries, retry = retry,
    reuse = given.reuse, repeats = given.repeats, limits = given.limits,
  }), agent)
end

function gate(result, want)
  if type(result) ~= "table" or not result.agent then fault("gate: expected %s", RESULT) end
  want = want or {}
  check_keys("gate", want, { verdict = "string" })
  local answer = ask("gate", {
    id = result.id, stage = result.stage, agent = result.agent, verdict = want.verdict or "approved",
  })
  return answer.open == true, answer.reason or ""
end

-- Child workflows -------------------------------------------------------------------------------

local CHILD_KEYS = {
  workflow = "string", params = "table", project = "string", key = "string", timeout = "number|string",
}

function run_workflow(given)
  check_keys("run_workflow", given, CHILD_KEYS)
  return ask("child", {
    workflow = need("run_workflow", given, "workflow"), params = plain(given.params), project = given.project,
    key = given.key, timeout_ms = given.timeout and duration("run_workflow, timeout", given.timeout),
  })
end

-- Failure, and going on --------------------------------------------------------------------------

local handlers = {}

-- fn(why) runs when the run fails, is cancelled or takes too long; the newest first. Gives a function that takes it back.
function on_failure(handler)
  if type(handler) ~= "function" then fault("on_failure: expected a function, got %s", type(handler)) end
  ask("on_failure", {})
  local at = #handlers + 1
  handlers[at] = handler
  return function() handlers[at] = false end
end

host.undo(function(why)
  local ran, failed = 0, {}
  for at = #handlers, 1, -1 do
    if handlers[at] then
      local ok, message = pcall(handlers[at], why)
      ran = ran + 1
      if not ok then failed[#failed + 1] = host.text(message) end
    end
  end
  return { handlers = ran, failed = host.list(failed) }
end)

function continue_as_new(params)
  if params ~= nil and type(params) ~= "table" then fault("continue_as_new: expected a table of params, got %s", type(params)) end
  ask("continue", { params = plain(params) })
end

-- Other calls -----------------------------------------------------------------------------------

local APPROVE_KEYS = { question = "string", expires = "number|string", about = true, who = "string|table", subject = "string|table" }

-- What an answer is bound to: a text, the handoff of a result, or the hash of any other table.
local function subject_text(value)
  if type(value) ~= "table" then return value end
  if value.agent and type(value.id) == "string" then return value.id end
  return host.hash(value)
end

local function people(who)
  if type(who) == "string" then who = { who } end
  for _, name in ipairs(who or {}) do need_text("approve, who", name) end
  if who and #who == 0 then fault("approve: 'who' names nobody") end
  return who and host.list(who)
end

function approve(given)
  if type(given) == "string" then given = { question = given } end
  check_keys("approve", given, APPROVE_KEYS)
  local answer = ask("approve", {
    question = need("approve", given, "question"), about = given.about, who = people(given.who),
    subject = subject_text(given.subject), expires_ms = given.expires and duration("approve, expires", given.expires),
  })
  return answer.approved == true, answer
end

-- The value that came and true, or nil and false when the time was over.
function signal(name, given)
  need_text("signal", name)
  given = given or {}
  check_keys("signal", given, { timeout = "number|string" })
  local answer = ask("signal", { name = name, timeout_ms = given.timeout and duration("signal, timeout", given.timeout) })
  local value = answer.value
  if value == null then value = nil end
  return value, answer.came == true
end

function publish(name, value)
  need_text("publish", name)
  ask("publish", { name = name, value = value })
end

function sleep(seconds) ask("sleep", { ms = duration("sleep", seconds) }) end

function now() return ask("now", {}) end

-- random(): [0, 1). random(n): 1..n. random(a, b): a..b.
function random(from, to)
  local value = ask("random", {})
  if from == nil then return value end
  if to == nil then from, to = 1, from end
  if mathtype(from) ~= "integer" or mathtype(to) ~= "integer" or from > to then
    fault("random: expected whole numbers, the smaller one first")
  end
  return from + floor(value * (to - from + 1))
end

function log(...)
  local parts = pack(...)
  for i = 1, parts.n do parts[i] = host.text(parts[i]) end
  host.log((text.replace(concat(parts, " ", 1, parts.n), "[\\r\\n]+", " ")))
end

print = log

local OUTCOMES = {
  accepted = true, rejected = true, needs_discussion = true, nothing_measurable = true, failed = true,
}

-- The newest run of this workflow on this project that ended so; nil when there is none.
function last_run(outcome)
  if not OUTCOMES[outcome] then fault("last_run: unknown outcome '%s'; known outcomes: %s", tostring(outcome), names(OUTCOMES)) end
  local answer = ask("last_run", { outcome = outcome })
  return answer.run and answer or nil
end

function finish(outcome, result)
  if not OUTCOMES[outcome] then
    fault("finish: unknown outcome '%s'; known outcomes: %s", tostring(outcome), names(OUTCOMES))
  end
  if type(result) == "string" then result = { reason = result } end
  local _, message = call("finish", outcome, result)
  raise(message) -- comes back only when the result cannot leave the script
end

function fail(reason)
  finish("failed", reason == nil and "the workflow gave no reason" or host.text(reason))
end

list = host.list

-- Elements of a list in an output; a list that was too large is { ["$artifact"] =, count =, head = } there.
function count(value)
  if type(value) ~= "table" then return 0 end
  if value["$artifact"] then return value.count or 0 end
  return #value
end

-- Parallel --------------------------------------------------------------------------------------

local function run_all(functions, limit)
  if limit ~= nil and (mathtype(limit) ~= "integer" or limit < 1) then
    fault("parallel: 'limit' must be a whole number from 1, not %s", tostring(limit))
  end
  if #functions == 0 then return {} end
  local ok, results = call("parallel", functions, limit or 0)
  if not ok then raise(results) end
  return results
end

-- parallel { fn, fn, …, limit = n }, or parallel(list, fn [, limit]).
function parallel(given, fn, limit)
  if type(given) ~= "table" then fault("parallel: expected a list, got %s", type(given)) end
  local functions = {}
  if fn == nil then
    for key in pairs(given) do
      if mathtype(key) ~= "integer" and key ~= "limit" then
        fault("parallel: unknown key '%s'; known: a list of functions, limit", tostring(key))
      end
    end
    limit = given.limit
  elseif type(fn) ~= "function" then
    fault("parallel: the second argument must be a function, not a %s", type(fn))
  end
  for i, item in ipairs(given) do
    if fn then
      functions[i] = function() return fn(item, i) end
    elseif type(item) == "function" then
      functions[i] = function() return item(i) end
    else
      fault("parallel: number %d is a %s, expected a function", i, type(item))
    end
  end
  return run_all(functions, limit)
end

-- Chains as text --------------------------------------------------------------------------------

-- Where the chain goes on after a reviewer asked for changes: behind the previous place of the same agent.
local function back_to(steps, at)
  for i = at - 1, 1, -1 do
    if steps[i] == steps[at] then return i + 1 end
  end
end

-- chain("a -> b -> a", { input =, task =, max_rounds =, timeout = }): the results in order, and whether the last gate is open.
function chain(steps, given)
  given = given or {}
  check_keys("chain", given, { input = "table", task = "string", max_rounds = "number", timeout = "number|string|table" })
  steps = chain_names("chain", steps)
  local results, at, rounds, open = {}, 1, 1, true
  while at <= #steps do
    local result = stage {
      agent = steps[at], after = results[#results], input = given.input, timeout = given.timeout,
      task = #results == 0 and given.task or nil,
    }
    results[#results + 1] = result
    if not result.ok then return results, false end
    local again = result.verdict and back_to(steps, at)
    if result.verdict then open = gate(result) end
    if again and again < at and not open and rounds < (given.max_rounds or 2) then
      rounds, at = rounds + 1, again
    elseif again and not open then
      return results, false
    else
      at = at + 1
    end
  end
  return results, open
end

-- Globals: a wrong name is an error, and `local` is asked for ----------------------------------------

local function distance_one(a, b) -- one character more, less or other
  if #a > #b then a, b = b, a end
  if #b - #a > 1 then return false end
  local i = 1
  while i <= #a and sub(a, i, i) == sub(b, i, i) do i = i + 1 end
  return sub(a, #a == #b and i + 1 or i) == sub(b, i + 1)
end

host.guard(function(globals)
  return {
    __index = function(_, key)
      local hint = ""
      for known in pairs(globals) do
        if distance_one(lower(known), lower(tostring(key))) then hint = "; did you mean '" .. known .. "'?" end
      end
      fault("unknown name '%s'%s", tostring(key), hint)
    end,
    __newindex = function(_, key) fault("'%s' is not declared; write: local %s = …", tostring(key), tostring(key)) end,
    __metatable = "globals",
  }
end)
