//! The command line itself: help and log filters.

use crate::process::Folder;

#[test]
fn unknown_log_level_is_refused() {
    let ended = Folder::with_config().run(&["audit", "--log", "verbose"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("\"verbose\" is no level"), "{}", ended.stderr);
}

/// The bug: the Chinese help had no command `help`, which the English one has.
#[test]
fn help_command_works_in_both_languages() {
    let folder = Folder::empty();
    for lang in ["en", "zh"] {
        for command in ["present", "audit"] {
            let asked = folder.run(&["--lang", lang, "help", command]);
            assert_eq!((asked.code, &*asked.stderr), (Some(0), ""));
            assert_eq!(asked.stdout, folder.run(&["--lang", lang, command, "--help"]).stdout);
        }
        let program = folder.run(&["--lang", lang, "help"]);
        assert_eq!(program.stdout, folder.run(&["--lang", lang, "--help"]).stdout);
        assert_eq!(folder.run(&["--lang", lang, "help", "no-command"]).code, Some(2));
    }
}
