-- text.*: regular expressions and plain texts.
local function same(got, want)
  if got ~= want then error(("got '%s', expected '%s'"):format(tostring(got), tostring(want)), 2) end
end

workflow "test-text" {
  run = function()
    local name, number = text.match("bench fib 20", "(\\w+) (\\d+)$")
    same(name, "fib")
    same(number, "20")
    same(text.match("abc", "b"), "b")
    same(text.match("abc", "x"), nil)
    same(select("#", text.match("ab", "(a)(x)?(b)")), 3)
    same(select(2, text.match("ab", "(a)(x)?(b)")), false)
    same(text.match("ab", "a", 2), nil)

    local first, last = text.find("grün → x", "→")
    same(("grün → x"):sub(first, last), "→")

    same(table.concat(text.all("a1 b22 c", "\\d+"), ","), "1,22")
    same(text.all("k=v a=b", "(\\w)=(\\w)")[2][2], "b")
    same(#text.all("aü", ""), 3)

    same((text.replace("a-b-c", "-", "+")), "a+b+c")
    same((text.replace("a-b-c", "-", "+", 1)), "a+b-c")
    same((text.replace("a1b2", "\\d", function(d) return d == "1" and "one" or nil end)), "aoneb2")
    same(select(2, text.replace("aaa", "a", "")), 3)

    same(table.concat(text.split("a,,b"), "|"), "a||b")
    same(#text.split("", ","), 1)
    same(text.trim("  a b \n"), "a b")
    same(text.trim(" \t"), "")
    same(#text.lines("a\nb\n"), 2)
    same(text.starts("relay", "re") and text.ends("relay", "lay") and text.ends("x", ""), true)
    same(("a.b"):find(".", 1, true), 2)
    same(("ab"):find("b"), 2)
    finish "accepted"
  end,
}
