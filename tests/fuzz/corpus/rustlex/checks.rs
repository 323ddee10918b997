use std::collections::HashMap;
use std::thread;
use std::fs;
fn takes(name: String) -> usize { name.len() }
fn looks(name: &String) -> usize { name.len() }
fn a(words: &[String], cfg: &String) -> usize {
    let mut n = 0;
    for w in words {
        let k = w.clone();
        n += looks(&k);
        n += looks(&cfg.clone());
        n += takes(w.clone());
        if w.clone().starts_with("a") { n += 1; }
    }
    n
}
fn b(words: &[String]) -> HashMap<String, u32> {
    let mut m: HashMap<String, u32> = HashMap::new();
    for w in words {
        if m.contains_key(w) { *m.get_mut(w).unwrap() += 1; } else { m.insert(w.clone(), 1); }
        let key = w.clone();
        if m.contains_key(&key) { let c = m.get_mut(&key).unwrap(); *c += 1; }
    }
    m
}
fn c(v: &[u32]) -> u32 {
    let doubled: Vec<u32> = v.iter().map(|x| x * 2).collect();
    let mut s = 0;
    for d in doubled { s += d; }
    for e in v.iter().filter(|x| **x > 2).collect::<Vec<_>>() { s += e; }
    s + v.iter().map(|x| x + 1).collect::<Vec<_>>().into_iter().sum::<u32>()
}
fn d(v: &[String]) -> String {
    let mut out = String::new();
    for x in v { out.push_str(x); out.push(' '); }
    let mut r = String::new();
    for x in v { r = format!("{}{}", r, x); }
    let mut q = String::new();
    for x in v.iter() { q = q + x; }
    out + &r + &q
}
async fn e() { thread::sleep(std::time::Duration::from_secs(1)); let _ = fs::read_to_string("x"); 
  let h = tokio::task::spawn_blocking(|| { fs::read_to_string("x") }); }
fn g(xs: &[u32]) -> u32 { let mut s = 0; for x in xs { let f: Box<dyn Fn(u32) -> u32> = Box::new(move |y| y + 1); s += f(*x); } s }
trait Shape { fn area(&self) -> f64; }
fn h(shapes: &[Box<dyn Shape>]) -> f64 { let mut s = 0.0; for _ in 0..100 { for sh in shapes { s += sh.area(); } } s }
fn i(q: &str) -> u32 { let mut n = 0; for k in 0..q.len() { if q.chars().nth(k) == Some('a') { n += 1; } } n }
fn j(names: &[String]) { let handles: Vec<_> = names.iter().map(|n| { let n = n.clone(); thread::spawn(move || n.len()) }).collect(); for h in handles { h.join().unwrap(); } }
