-- Has the project become slower, and with which commit? For a schedule of `baton serve`, and behind `baton bench --bisect`.
-- Every step is a comparison with the statistics of `bench`; what is slower is looked for among the commits in between.

local PERFORMANCE = "rust-performance-engineer"

-- The comparison of two revisions; once more, with four times the time, when the first one ends undecided.
local function compare(p, from, to)
  local budget = p.budget_minutes
  for try = 1, 2 do
    local result = stage {
      agent = PERFORMANCE, mode = "bench", task = "Compare " .. from:sub(1, 12) .. " with " .. to:sub(1, 12),
      input = {
        revisions = { from, to }, bench = p.bench, metric = p.metric, theta_pct = p.theta_pct,
        budget_minutes = budget, witness = "verdicts",
      },
    }
    if not result.ok then return { verdict = "broken", sentence = result.summary } end
    if not result.output.measurable then return { verdict = "broken", sentence = result.summary } end
    if result.output.verdict ~= "undecided" or try == 2 then return result.output end
    budget = budget * 4
  end
end

-- The untried commit nearest to the middle of what is open.
local function middle(low, high, tried)
  local at = (low + high) // 2
  for away = 0, high - low do
    for _, i in ipairs { at - away, at + away } do
      if i > low and i < high and not tried[i] then return i end
    end
  end
end

-- Numbers of the last commit that is as fast as the first one, and of the first that is slower; commit 0 is `from`.
local function bisect(p, from, commits)
  local low, high, tried, steps, results = 0, #commits, {}, {}, {}
  local at = middle(low, high, tried)
  while at do
    local found = compare(p, from, commits[at].commit)
    tried[at], results[at] = true, found
    steps[#steps + 1] = { commit = commits[at].commit, verdict = found.verdict, sentence = found.sentence }
    log(commits[at].commit:sub(1, 12) .. ": " .. found.sentence)
    if found.verdict == "slower" then
      high = at
    elseif found.verdict == "faster" or found.verdict == "no_difference" then
      low = at
    end
    at = middle(low, high, tried)
  end
  return low, high, steps, results
end

workflow "regression" {
  about = "Is HEAD slower than the last accepted revision? If so, the commit that made it so",
  chain = "rust-performance-engineer",
  params = {
    bench = { type = "string", about = "What is run of each revision (default: what the project offers)" },
    baseline = { type = "string", about = "The revision that was fast (default: the last one this workflow accepted)" },
    head = { default = "HEAD", about = "The revision that may be slow" },
    metric = { type = "string", about = "What decides, as in bench" },
    theta_pct = { type = "number", about = "Smallest change that counts, in per cent" },
    budget_minutes = { type = "number", default = 5, about = "Time for the measurements of one step" },
  },

  run = function(p)
    local before = not p.baseline and last_run("accepted")
    local base = p.baseline or before and before.result.commit
    local between = stage {
      agent = PERFORMANCE, mode = "commits", task = "Find the commits in between",
      input = { from = base or p.head, to = p.head },
    }
    if not between.ok and before then -- the history was rewritten, perhaps: somebody has to say what was fast
      finish("needs_discussion", { reason = between.summary .. "; start it once with --param baseline=REV" })
    end
    if not between.ok then fail(between.summary) end
    local from, to, commits = between.output.from, between.output.to, between.output.commits
    if not (from and to and commits) then fail("the worker did not say which commits lie in between") end
    local short = to:sub(1, 12)
    if not base then finish("accepted", { reason = short .. " is the first revision that later ones are compared with", commit = to }) end
    if from == to then finish("accepted", { reason = short .. " was accepted before: nothing is new", commit = to }) end

    local whole = compare(p, from, to)
    if whole.verdict == "broken" then fail(whole.sentence) end
    if whole.verdict == "undecided" then finish("needs_discussion", { reason = whole.sentence, from = from, to = to }) end
    if whole.verdict ~= "slower" then finish("accepted", { reason = whole.sentence, commit = to, from = from }) end

    local low, high, steps, results = bisect(p, from, commits)
    local last_good = low == 0 and from or commits[low].commit
    if high - low > 1 then
      finish("needs_discussion", {
        reason = "slower since " .. last_good:sub(1, 12) .. ", but the " .. (high - low - 1) .. " commits up to " .. commits[high].commit:sub(1, 12)
          .. " cannot be told apart: they do not build, or the runs scatter too much",
        from = last_good, to = commits[high].commit, steps = steps,
      })
    end
    local named = commits[high]
    local alone = high == #commits and low == 0 and whole or low == 0 and results[high] or compare(p, last_good, named.commit)
    local how = alone.verdict == "slower" and " made it slower: " or " is the first one past what counts, slowly grown: "
    local said = text.replace((alone.verdict == "slower" and alone or whole).sentence, "^slower: ", "")
    finish("rejected", {
      reason = named.commit:sub(1, 12) .. " (" .. named.title .. ")" .. how .. said,
      slower_since = named.commit, title = named.title, alone = alone.sentence, from = from, to = to, steps = steps,
    })
  end,
}
