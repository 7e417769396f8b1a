//! The results as JUnit XML: a suite per file, as CI servers read it.

use std::path::Path;

use anyhow::{Context, Result};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::report::{Played, Report};

/// Writes the file.
pub(super) fn write(report: &Report, file: &Path) -> Result<()> {
    let xml = xml(report).context("render the results as JUnit XML")?;
    std::fs::write(file, xml).with_context(|| format!("write {}", file.display()))
}

fn xml(report: &Report) -> Result<Vec<u8>> {
    let mut suites: Vec<(String, Vec<&Played>)> = Vec::new();
    for case in &report.cases {
        let name = format!("{}/{}", case.domain, case.group);
        match suites.last_mut() {
            Some((last, cases)) if *last == name => cases.push(case),
            _ => suites.push((name, vec![case])),
        }
    }
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let tests = report.cases.len().to_string();
    let (failed, seconds) = (
        report.failed.to_string(),
        format!("{:.3}", report.seconds()),
    );
    writer
        .create_element("testsuites")
        .with_attributes([
            ("tests", tests.as_str()),
            ("failures", &failed),
            ("errors", "0"),
            ("time", &seconds),
        ])
        .write_inner_content(|writer| {
            suites
                .iter()
                .try_for_each(|(name, cases)| suite(writer, name, cases))
        })?;
    Ok(writer.into_inner())
}

fn suite(writer: &mut Writer<Vec<u8>>, name: &str, cases: &[&Played]) -> std::io::Result<()> {
    let failed = cases
        .iter()
        .filter(|case| !case.passed())
        .count()
        .to_string();
    let tests = cases.len().to_string();
    let seconds: f64 = cases.iter().map(|case| case.seconds).sum();
    let seconds = format!("{seconds:.3}");
    writer
        .create_element("testsuite")
        .with_attributes([
            ("name", name),
            ("tests", &tests),
            ("failures", &failed),
            ("errors", "0"),
            ("time", &seconds),
        ])
        .write_inner_content(|writer| {
            cases
                .iter()
                .try_for_each(|played| case(writer, name, played))
        })?;
    Ok(())
}

fn case(writer: &mut Writer<Vec<u8>>, suite: &str, case: &Played) -> std::io::Result<()> {
    let (line, seconds) = (case.line.to_string(), format!("{:.3}", case.seconds));
    let (name, file) = (readable(&case.name), readable(&case.file));
    let element = writer.create_element("testcase").with_attributes([
        ("classname", suite),
        ("name", &name),
        ("file", &file),
        ("line", &line),
        ("time", &seconds),
    ]);
    if case.passed() {
        element.write_empty()?;
        return Ok(());
    }
    element.write_inner_content(|writer| {
        let told = readable(&case.told());
        let first = told.lines().next().unwrap_or_default().trim().to_owned();
        writer
            .create_element("failure")
            .with_attribute(("message", first.as_str()))
            .write_text_content(BytesText::new(&told))?;
        Ok(())
    })?;
    Ok(())
}

/// XML has no place for most control characters, escaped or not.
fn readable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => '\u{fffd}',
            c => c,
        })
        .collect()
}
