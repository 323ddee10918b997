-- Stages, gates and parallel tasks against the dry-run host: the first gate is closed, the second one open.
workflow "test-stages" {
  params = { focus = { default = "all", one_of = { "all", "build" } }, note = { type = "string" } },
  run = function(p)
    assert(p.focus == "all" and p.note == nil)
    assert(not pcall(function() return p.other end))
    assert(not pcall(function() p.focus = 1 end))
    for key, value in pairs(p) do assert(key == "focus" and value == "all") end

    local a = stage { agent = "rust-code-reviewer", input = { focus = p.focus }, timeout = "2m" }
    assert(a.ok and a.status == "completed" and a.verdict == "changes_requested")
    assert(a.next_agent == nil and #a.artifacts == 0 and a.output.measurable)
    local b = stage { agent = "rust-developer", after = { a, nil, a.id } }
    assert(b.verdict == nil)
    stage {
      agent = "echo", timeout = { queue = "10m", start = 5, run = "1h", heartbeat = "30s" },
      retries = { attempts = 3, backoff = "2s", on = { "lost", "tool" } },
    }
    for key, bad in pairs { timeout = { que = 1 }, retries = { attempts = 0 }, mode = 7 } do
      assert(not pcall(stage, { agent = "echo", [key] = bad }), key)
    end
    local ok, why = pcall(stage, { agent = "echo", retries = { attempts = 2, on = { "luck" } } })
    assert(not ok and text.find(why, "unknown failure 'luck'; there are: blocked, conflict"), why)
    assert(gate(a) == false)
    local open, reason = gate(a, { verdict = "approved" })
    assert(open and reason == "approved")

    assert(count(nil) == 0 and count({ 1, 2 }) == 2 and count({ ["$artifact"] = "x", count = 70, head = { 1 } }) == 70)

    local sum = 0
    for _, n in ipairs(parallel({ 1, 2, 3 }, function(v, i) sleep(0) return v * i end)) do sum = sum + n end
    assert(sum == 14)
    local results = parallel { function() return stage { agent = "echo" }.agent end, function() return nil end, limit = 1 }
    assert(results[1] == "echo" and results[2] == nil)
    assert(#parallel({}, print) == 0)

    local yes, answer = approve { question = "Go on?", expires = "1h" }
    assert(yes and answer.by == "dry run" and approve "Sure?")
    assert(random() < 1 and random(3) <= 3 and random(5, 5) == 5)
    assert(math.type(now()) == "integer")
    finish("accepted", { list = list {}, none = null })
  end,
}
