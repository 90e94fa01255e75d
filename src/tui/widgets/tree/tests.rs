use super::*;

fn tree(paths: &[&str]) -> FileTree {
    let paths: Vec<Untrusted> = paths.iter().map(|path| Untrusted::new(*path)).collect();
    let mut tree = FileTree::new(paths.iter());
    tree.refresh((0..paths.len()).map(|at| leaf(at, Priority::Normal)));
    tree
}

fn leaf(at: usize, priority: Priority) -> Leaf {
    Leaf { file: FileIndex(at as u32), bytes: 10, done_bytes: at as u64, priority }
}

fn shown(tree: &FileTree) -> Vec<String> {
    (0..tree.rows())
        .map(|row| {
            let (node, at_cursor, marked) = tree.row(row).unwrap();
            let cursor = if at_cursor { ">" } else { "" };
            let mark = if marked { "*" } else { "" };
            format!("{cursor}{mark}{}{}", " ".repeat(node.depth), node.name)
        })
        .collect()
}

const DISC: [&str; 4] = ["disc/b/2", "disc/b/1", "disc/a/3", "disc/readme"];

#[test]
fn folders_come_before_what_is_in_them() {
    assert_eq!(shown(&tree(&DISC)), [">disc", " a", "  3", " b", "  1", "  2", " readme"]);
}

#[test]
fn a_folder_adds_up_its_files() {
    let mut tree = tree(&DISC);
    tree.refresh((0..4).map(|at| leaf(at, if at == 2 { Priority::High } else { Priority::Low })));
    let (disc, ..) = tree.row(0).unwrap();
    assert_eq!((disc.bytes, disc.done_bytes, disc.files, disc.level), (40, 6, 4, Level::Mixed));
    let (b, ..) = tree.row(3).unwrap();
    assert_eq!((b.bytes, b.done_bytes, b.files, b.level), (20, 1, 2, Level::All(Priority::Low)));
}

#[test]
fn left_closes_or_goes_up_and_right_opens_or_goes_in() {
    let mut tree = tree(&DISC);
    tree.step(Motion::Down, 10);
    tree.left();
    assert_eq!(shown(&tree), ["disc", "> a", " b", "  1", "  2", " readme"]);
    tree.left();
    assert_eq!(tree.cursor(), 0);
    tree.step(Motion::Down, 10);
    tree.right();
    tree.right();
    assert_eq!(shown(&tree)[2], ">  3");
}

#[test]
fn folding_all_keeps_the_cursor_near() {
    let mut tree = tree(&DISC);
    tree.step(Motion::Last, 10);
    tree.step(Motion::Up, 10);
    tree.fold_all();
    assert_eq!(shown(&tree), [">disc"]);
    tree.fold_all();
    assert_eq!(tree.rows(), 7);
}

#[test]
fn a_folder_stands_for_its_files_and_marks_for_themselves() {
    let mut tree = tree(&DISC);
    assert_eq!(tree.targets(), [0, 1, 2, 3]);
    tree.step(Motion::PageDown, 4);
    assert_eq!(tree.targets(), [0, 1]);
    tree.mark(10);
    tree.mark(10);
    tree.step(Motion::First, 10);
    assert_eq!(tree.targets(), [0, 1]);
    tree.mark_invert();
    assert_eq!(tree.targets(), [0, 2, 3]);
    tree.unmark();
    tree.mark_range();
    tree.step(Motion::PageDown, 4);
    assert_eq!(tree.marked(), 4);
}

#[test]
fn a_filter_narrows_rows_and_targets() {
    let mut tree = tree(&DISC);
    tree.set_filter("DISC/B 2");
    assert_eq!(shown(&tree), [">disc", " b", "  2"]);
    assert_eq!(tree.targets(), [0], "the folder under the cursor stands for what is shown of it");
    tree.set_filter("");
    assert_eq!(tree.rows(), 7);
}

#[test]
fn a_filter_word_with_a_star_or_a_question_mark_is_a_pattern() {
    let paths = ["disc/Extras/a.NFO", "disc/Extras/b.mkv", "disc/film.mkv", "disc/nfo.txt"];
    let chosen = |filter: &str| {
        let mut tree = tree(&paths);
        tree.set_filter(filter);
        tree.mark_all();
        tree.targets().into_iter().map(|at| paths[at]).collect::<Vec<_>>()
    };
    assert_eq!(chosen("*.nfo"), ["disc/Extras/a.NFO"], "by the name, in every folder");
    assert_eq!(chosen("disc/*.mkv"), ["disc/film.mkv"], "a star stays within a part");
    assert_eq!(chosen("disc/**.mkv"), ["disc/Extras/b.mkv", "disc/film.mkv"]);
    assert_eq!(chosen("?.mkv"), ["disc/Extras/b.mkv"]);
    assert_eq!(chosen("*.mkv extras"), ["disc/Extras/b.mkv"], "beside a plain word");
    assert_eq!(chosen("nfo"), ["disc/Extras/a.NFO", "disc/nfo.txt"]);
    assert_eq!(chosen("*.iso"), [""; 0]);
}

#[test]
fn a_hostile_depth_is_bounded() {
    let deep = "x/".repeat(10_000) + "end";
    let tree = tree(&[deep.as_str()]);
    assert!(tree.rows() <= limits::TREE_DEPTH_MAX);
}

#[test]
fn odd_paths_do_not_panic() {
    for paths in [&[""][..], &["", ""], &["a", "a/b", "a"], &["/", "//"], &[]] {
        let mut tree = tree(paths);
        tree.set_filter("a");
        tree.set_filter("");
        tree.fold_all();
        tree.fold_all();
        tree.left();
        tree.right();
        tree.mark_all();
        assert!(tree.targets().len() <= paths.len());
    }
}
