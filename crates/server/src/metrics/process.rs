//! Facts of the process that the kernel keeps, from `/proc`.

/// Facts of this process. A fact that cannot be read is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProcessStats {
    pub(crate) cpu_nanos: Option<u64>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) open_fds: Option<u64>,
    pub(crate) max_fds: Option<u64>,
    /// Since 1970.
    pub(crate) start_nanos: Option<u64>,
}

#[cfg(target_os = "linux")]
const NANOS: u64 = 1_000_000_000;

#[cfg(target_os = "linux")]
fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Reads them. It blocks: a bank with 20,000 connections has as many files to count.
#[cfg(target_os = "linux")]
pub(crate) fn read() -> ProcessStats {
    let text = |path: &str| std::fs::read_to_string(path).ok();
    let stat = text("/proc/self/stat");
    // The name of the program is in parentheses and may hold spaces: the fields after it are counted from the third.
    let field = |number: usize| -> Option<u64> {
        let (_, rest) = stat.as_ref()?.rsplit_once(')')?;
        rest.split_ascii_whitespace().nth(number - 3)?.parse().ok()
    };
    let nanos = |ticks: u64| ticks.saturating_mul(NANOS / rustix::param::clock_ticks_per_second().max(1));
    let booted = text("/proc/stat").and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<u64>().ok()
    });
    let pages = text("/proc/self/statm").and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    ProcessStats {
        cpu_nanos: field(14).zip(field(15)).map(|(user, system)| nanos(user.saturating_add(system))),
        resident_bytes: pages.map(|pages| pages.saturating_mul(to_u64(rustix::param::page_size()))),
        // One of them is the folder itself.
        open_fds: std::fs::read_dir("/proc/self/fd")
            .ok()
            .map(|files| to_u64(files.count()).saturating_sub(1)),
        max_fds: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
        start_nanos: booted
            .zip(field(22))
            .map(|(booted, ticks)| booted.saturating_mul(NANOS).saturating_add(nanos(ticks))),
    }
}

/// Other systems have no such files.
#[cfg(not(target_os = "linux"))]
pub(crate) fn read() -> ProcessStats {
    ProcessStats::default()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn every_fact_is_read() {
        let stats = read();
        assert!(stats.resident_bytes.unwrap() > 1 << 20, "{stats:?}");
        assert!(stats.open_fds.unwrap() >= 3, "{stats:?}");
        // 2020 to 2100.
        assert!((1_577_836_800..4_102_444_800).contains(&(stats.start_nanos.unwrap() / NANOS)), "{stats:?}");
        assert!(stats.cpu_nanos.is_some());
        assert!(stats.max_fds.is_none_or(|max| max >= stats.open_fds.unwrap()));
    }
}
