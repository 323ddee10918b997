workflow "h" { run = function()
  local t = setmetatable({}, { __index = function(t, k) return t[k .. "x"] end, __pairs = pairs, __close = error })
  pcall(function() return t.y end)
  pcall(function() while true do pcall(error, t) end end)
  for _ in pairs({ 1, "a", [true] = 2 }) do goto done end
  ::done::
  local x <close> = t
  return string.format("%s %q %5.2f", t, "a\0b", 1 / 3), ("x"):rep(1e6), text.all("aaa", "(a)(b)?")
end }
