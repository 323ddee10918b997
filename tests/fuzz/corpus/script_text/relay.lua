workflow "x" {
  about = "a chain", chain = "a -> [b] -> a", params = { focus = { default = "all", one_of = { "all" } } },
  run = function(p)
    local r = stage { agent = "a", input = { f = p.focus }, timeout = "2m" }
    parallel({ 1, 2 }, function(i) sleep(i) log(text.replace("a-b", "-", "+")) end)
    if gate(r) then finish("accepted", { list {} }) end
    fail(r)
  end,
}
