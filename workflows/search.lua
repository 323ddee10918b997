-- The joint search for build settings, behind `baton tune --for`: every point that is measured is a stage of its own, so that a run that is
-- killed goes on with the next one.

local PERFORMANCE = "rust-performance-engineer"
local SCREENED = 0.6 -- of the budget; the rest is for the clock and for confirming

local function done(result)
  if not result.ok then fail(result.summary) end
  return result.output
end

workflow "search" {
  about = "Search the build settings of a Rust project together, for a declared goal; the winner ends up on a branch",
  chain = PERFORMANCE,
  params = {
    goal = { default = "balanced", one_of = { "runtime", "build", "size", "balanced" }, about = "What shall be better" },
    bench = { type = "string", about = "Command that is measured (default: what the project offers)" },
    budget_minutes = { type = "number", default = 20, about = "Time for the whole search" },
    accept = { default = {}, type = "list", about = "What may be taken over although it costs something: abort, native, debug" },
    points = { default = 60, about = "Points that are measured at most" },
  },

  run = function(p)
    local began, results, left_out = now(), list {}, 0

    local function step(name, after, input)
      input.step, input.goal, input.bench, input.accept = name, p.goal, p.bench, p.accept
      return stage { agent = PERFORMANCE, mode = "search", after = after, input = input, task = "Search the build settings: " .. name }
    end

    local space = step("space", nil, {})
    local found = done(space)
    if not found.measurable then finish("nothing_measurable", { reason = space.summary }) end

    local function minutes_left() return p.budget_minutes - (now() - began) / 60 end

    -- The base always; others while there is time.
    local function measure(points)
      for _, point in ipairs(points) do
        if #results > 0 and (minutes_left() < p.budget_minutes * (1 - SCREENED) or #results >= p.points) then
          left_out = left_out + 1
        else
          local output = done(step("point", space, { point = point, base = results[1] }))
          if #results == 0 and output.measured.failed then fail("the project as it is: " .. output.measured.failed) end
          results[#results + 1] = output.measured
          publish("progress", { measured = #results, left_out = left_out })
        end
      end
    end

    -- Asked again only when there is something new to choose from.
    local chosen, seen
    local function choose(news)
      if not chosen or news or #results > seen then chosen = done(step("choose", space, { results = results })) end
      seen = #results
      return chosen
    end

    measure(found.points)
    measure(choose().points)

    -- The clock speaks about the best few, which were chosen by counting.
    local timed = false
    for _, point in ipairs(p.goal ~= "build" and choose().recommended or {}) do
      if minutes_left() > p.budget_minutes * (1 - SCREENED) / 2 then
        local output = done(step("point", space, { point = point, base = results[1], timed = true }))
        for i, known in ipairs(results) do
          if known.id == point.id then results[i] = output.measured end
        end
        timed = true
      end
    end
    choose(timed)

    local proof = stage {
      agent = PERFORMANCE, mode = "confirm", after = space, task = "Confirm the best point on fresh pairs",
      input = { goal = p.goal, points = chosen.recommended, base = results[1], budget_minutes = math.max(minutes_left(), 1) },
    }
    local output = done(proof)
    finish(output.kept == 0 and (output.undecided or 0) > 0 and "needs_discussion" or "accepted", {
      reason = proof.summary, goal = p.goal, measured = #results, left_out = left_out, kept = output.kept, head = output.head,
    })
  end,
}
