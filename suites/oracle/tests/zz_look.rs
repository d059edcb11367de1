use model::problem::Source;
use model::topology::TopologyFiles;
use model::*;
fn files(dir: &std::path::Path, out: &mut Vec<std::path::PathBuf>) {
    for e in std::fs::read_dir(dir).unwrap() { let p = e.unwrap().path(); if p.is_dir() { files(&p, out) } else if p.extension().is_some_and(|x| x == "toml") { out.push(p) } }
}
fn norm(l: &Leg) -> Leg {
    let mut l = l.clone();
    for h in &mut l.hops { h.at.0.sort() }
    if let Told::Answer(a) = &mut l.told { a.by.0.sort() }
    l
}
#[test]
fn look() {
    let root = std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let read = |p: &std::path::Path| Source::new(p.display().to_string(), std::fs::read_to_string(p).unwrap());
    let mut all = vec![]; files(&root.join("cases"), &mut all); all.sort();
    let table = oracle::Table::standard();
    let (mut ok, mut bad, mut unp, mut skip) = (0, 0, 0, 0);
    for p in all {
        let id = p.strip_prefix(root.join("cases")).unwrap().display().to_string().trim_end_matches(".toml").to_owned();
        let case = match Case::read(id.parse().unwrap(), &read(&p)) { Ok(c) => c, Err(e) => { println!("READ {e}"); continue } };
        if false { skip += 1; }
        let mut f = TopologyFiles::base(read(&root.join(format!("topologies/{}.toml", case.topology))));
        let mut good = true;
        for v in &case.given.variants { f = match f.clone().with_overlay(v, read(&root.join(format!("topologies/{v}.toml")))) { Ok(f) => f, Err(e) => { println!("OVERLAY {id} {e}"); good = false; break } } }
        if !good { continue }
        let t = match f.build(&case.given.settings) { Ok(t) => t, Err(e) => { println!("BUILD {id} {e}"); continue } };
        for s in &case.steps {
            match oracle::predict_under(&table, &t, &s.when, &case.given.faults) {
                Err(e) => { unp += 1; println!("UNPREDICTED {id}: {e}") }
                Ok(pr) => {
                    let mut want: Vec<Leg> = s.then.iter().map(norm).collect();
                    let mut got: Vec<Leg> = pr.legs.iter().map(norm).collect();
                    for (w, g) in want.iter_mut().zip(got.iter_mut()) { if w.signs_in.is_none() || g.signs_in.is_none() { w.signs_in = None; g.signs_in = None } }
                    if let Some(u) = &pr.unclaimed { println!("UNCLAIMED {id}: {u} {:?}", pr.rows) }
                    if want == got { ok += 1 } else { bad += 1; println!("DIFF {id} rows {:?}\n  want {}\n  got  {}", pr.rows, want.iter().map(show).collect::<Vec<_>>().join("\n       "), got.iter().map(show).collect::<Vec<_>>().join("\n       ")) }
                }
            }
        }
    }
    println!("ok {ok} bad {bad} unpredicted {unp} skipped {skip}");
    println!("cells {} rows {}", table.cells(), table.rows().len());
}
fn show(l: &Leg) -> String { let h: Vec<String> = l.hops.iter().map(|h| format!("{} {:?} {:?}", h.at, h.by, h.over)).collect(); format!("{} {} [{}] {:?} {:?} {}", l.dials, l.reached, h.join(" > "), l.prompts, l.signs_in, l.told) }
