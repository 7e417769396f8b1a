//! Portions: the rows that are looked at together, so many that their places fit into memory.

use userflow_lake::DataFile;

/// Rows that are looked at together: files, and of these what falls into one of so many slices by offset.
#[derive(Clone, Debug)]
pub struct Portion {
    /// The files.
    pub files: Vec<DataFile>,
    pub(super) slice: Option<(u64, u64)>,
}

/// Cuts files, in their order, into portions of at most about `most` rows. A file without a row count is a portion of its own.
pub fn portions(files: Vec<DataFile>, most: u64) -> Vec<Portion> {
    let most = most.max(1);
    let mut portions: Vec<Portion> = Vec::new();
    let (mut open, mut held): (Vec<DataFile>, u64) = (Vec::new(), 0);
    let whole = |files| Portion { files, slice: None };
    for file in files {
        let rows = file.rows.unwrap_or(most);
        if !open.is_empty() && held + rows > most {
            portions.push(whole(std::mem::take(&mut open)));
            held = 0;
        }
        if rows > most {
            let of = rows.div_ceil(most);
            portions.extend((0..of).map(|at| Portion {
                files: vec![file.clone()],
                slice: Some((at, of)),
            }));
        } else {
            held += rows;
            open.push(file);
        }
    }
    if !open.is_empty() {
        portions.push(whole(open));
    }
    portions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, rows: Option<u64>) -> DataFile {
        DataFile {
            path: path.to_owned(),
            size: 1,
            partition: Some(0),
            rows,
            stats: None,
        }
    }

    #[test]
    fn portions_are_small_and_have_every_row_once() {
        let files = vec![
            file("a", Some(3)),
            file("b", Some(6)),
            file("c", Some(2)),
            file("d", Some(25)),
            file("e", None),
            file("f", Some(1)),
        ];
        let cut: Vec<(String, Option<(u64, u64)>)> = portions(files, 10)
            .into_iter()
            .map(|portion| {
                let names = portion.files.iter().map(|file| file.path.as_str());
                (names.collect(), portion.slice)
            })
            .collect();
        let expected = [
            ("ab", None),
            ("c", None),
            ("d", Some((0, 3))),
            ("d", Some((1, 3))),
            ("d", Some((2, 3))),
            ("e", None),
            ("f", None),
        ];
        let expected = expected.map(|(names, slice)| (names.to_owned(), slice));
        assert_eq!(cut, expected);
        assert!(portions(Vec::new(), 10).is_empty());
    }
}
