-- Loops, 16 stages side by side, equal stages, timers, questions, clock and random: what a kill at any instant must not change.
-- `luck` and `began` differ from run to run; everything else of the final state must not.

workflow "torture" {
  agents = { "echo", "rust-code-reviewer" },
  limits = { stages = 9000, tokens = "100M" }, -- never reached: what is set aside and settled must add up after any kill
  params = { rounds = { default = 2 }, width = { default = 16 }, ask = { default = true } },

  run = function(p)
    local function work(id, after, input)
      input = input or {}
      input.id, input.mark, input.sleep_ms = id, "marks", (#id * 13) % 40
      local r = stage { agent = "echo", after = after, input = input, retries = 60, limits = { tokens = 100 } }
      if not r.ok then fail(id .. ": " .. r.summary) end
      return r
    end
    local began, luck = now(), random(1000000000)
    local last = work("begin", nil, { luck = luck, began = began })
    stage { agent = "rust-code-reviewer", retries = 60 } -- has nothing to read in the project, but makes the run have checkouts
    local sum, count = 0, 0 -- count: what the parallel tasks see of each other must be the same in a replay
    for round = 1, p.rounds do
      local before, items = last, {}
      for i = 1, p.width do items[i] = i end
      local done = parallel(items, function(i)
        local own = work("own-" .. round .. "-" .. i, before)
        count = count + 1
        sleep((i % 5) / 100)
        count = count + 1
        local same = work("same-" .. round, before)
        return work("both-" .. round .. "-" .. i, { own, same }, { luck = count * 1000000 + random(1000000) })
      end)
      for i, r in ipairs(done) do sum = sum + i * #r.output.echo.id end
      if p.ask and not approve { question = "go on after round " .. round .. "?", expires = "10m" } then
        finish("rejected", "not approved")
      end
      last = work("join-" .. round, done)
    end
    finish("accepted", { sum = sum, luck = luck, began = began, stages = 2 + p.rounds * (3 * p.width + 1), later = now() >= began })
  end,
}
