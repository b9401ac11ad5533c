//! An example, not a workload: reads the files of a preopened directory, uses the clock and prints.
//! For every file in `/data`: lines, words and bytes; then the commonest words of all, and whether a
//! missing file and a path outside the directory are refused. What it prints does not depend on the
//! time, only on time moving forward.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

fn report(path: &str, counts: &mut BTreeMap<String, u32>) -> io::Result<()> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut lines, mut words, mut bytes) = (0, 0, 0);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        lines += 1;
        bytes += line.len();
        for word in line.split_whitespace() {
            words += 1;
            *counts.entry(word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()).or_default() += 1;
        }
        line.clear();
    }
    // The last five bytes again, from the end.
    reader.seek(SeekFrom::End(-5))?;
    let mut tail = String::new();
    reader.read_to_string(&mut tail)?;
    let same = fs::metadata(path)?.len() == bytes as u64;
    println!("{path}: {lines} lines, {words} words, {bytes} bytes, ends {tail:?}{}", if same { "" } else { ", sizes differ" });
    Ok(())
}

fn main() -> io::Result<()> {
    let start = Instant::now();
    let mut names: Vec<String> =
        fs::read_dir("/data")?.map(|e| e.map(|e| e.file_name().to_string_lossy().into_owned())).collect::<io::Result<_>>()?;
    names.sort();
    let mut counts = BTreeMap::new();
    for name in &names {
        report(&format!("/data/{name}"), &mut counts)?;
    }
    let mut ranked: Vec<_> = counts.into_iter().filter(|(word, _)| word.len() > 2).collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    for (word, count) in ranked.iter().take(5) {
        println!("{count} {word}");
    }
    println!("absent file: {:?}", File::open("/data/absent.txt").map(|_| ()).map_err(|e| e.kind()));
    println!("outside refused: {}", File::open("/data/../manifest.toml").is_err());
    println!("clock moves forward: {}", start.elapsed().as_nanos() > 0);
    println!("year is plausible: {}", SystemTime::now().duration_since(UNIX_EPOCH).is_ok_and(|d| d.as_secs() > 1_600_000_000));
    Ok(())
}
