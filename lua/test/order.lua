-- pairs has one order everywhere: numbers, then texts, then booleans.
workflow "test-order" {
  run = function()
    local seen = {}
    local t = { z = 1, a = 1, [3] = 1, [1] = 1, [2.5] = 1, [-1] = 1, B = 1, [true] = 1, [false] = 1, [""] = 1 }
    for key in pairs(t) do seen[#seen + 1] = tostring(key) end
    assert(table.concat(seen, " ") == "-1 1 2.5 3  B a z false true", table.concat(seen, " "))

    -- Removing while going through it is allowed; what is gone does not come.
    local n = 0
    for key in pairs(t) do
      n = n + 1
      t[key] = nil
      t.z = nil
    end
    assert(n == 9 and next(t) == nil)
    assert(next({ b = 1, a = 2 }) == "a")

    local proxy = setmetatable({}, { __pairs = function() return pairs({ x = 1 }) end })
    for key in pairs(proxy) do assert(key == "x") end
    assert(tostring({}) == "table" and tostring(null) == "null" and ("%s"):format({}) == "table")
    finish "accepted"
  end,
}
