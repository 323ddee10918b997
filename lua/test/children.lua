-- Child workflows against the dry-run host: every child is accepted.
workflow "test-children" {
  params = { n = { default = 2 } },
  run = function(p)
    local one = run_workflow { workflow = "echo", params = p, timeout = "5m" }
    assert(one.ok and one.outcome == "accepted" and one.run == "dry-run" and type(one.result) == "table")
    local many = parallel({ 1, 2, 3 }, function(n) return run_workflow { workflow = "echo", params = { n = n } }.ok end, 2)
    assert(#many == 3 and many[1] and many[3])
    local ok, why = pcall(run_workflow, { params = {} })
    assert(not ok and text.find(why, "'workflow' is missing"), why)
    ok, why = pcall(run_workflow, { workflow = "echo", parms = {} })
    assert(not ok and text.find(why, "unknown key 'parms'"), why)
    finish "accepted"
  end,
}
