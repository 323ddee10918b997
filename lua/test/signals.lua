-- Signals, published values and bound questions against the dry-run host, which sends what is waited for and says yes.
workflow "test-signals" {
  run = function()
    local value, came = signal("go", { timeout = "1h" })
    assert(came == true and type(value) == "table")
    publish("progress", { done = 1, of = 2 })
    publish("nothing", nil)
    for _, bad in ipairs({ function() signal() end, function() signal("x", { timout = 1 }) end, function() publish({}, 1) end }) do
      assert(not pcall(bad))
    end
    local yes = approve { question = "Keep it?", who = { "ann", "bob" }, subject = { 1, 2 }, expires = "1d" }
    assert(yes and approve { question = "And now?", who = "ann", subject = "commit 1" })
    local ok, why = pcall(approve, { question = "Who?", who = {} })
    assert(not ok and text.find(why, "'who' names nobody"), why)
    finish "accepted"
  end,
}
