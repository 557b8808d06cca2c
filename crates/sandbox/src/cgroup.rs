//! Control groups: how much memory, processor and how many processes a sandbox may have, and its
//! freezer. Both generations of the interface, as far as they are mounted and ours to write.
//!
//! <https://docs.kernel.org/admin-guide/cgroup-v2.html>,
//! <https://docs.kernel.org/admin-guide/cgroup-v1/index.html>. The folders' names carry the process
//! that made them, so that the next start finds what a killed one has left.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// What a sandbox may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes, swap included, and without what lies in the scratch folders.
    pub memory: u64,
    /// Thousandths of a processor: its weight against others. At most this, rounded up to whole
    /// processors, is used even when nobody else wants any.
    pub cpu_millis: u32,
    /// Processes and threads.
    pub processes: u32,
}

/// The hierarchies in which we can make groups.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    memory: Option<Place>,
    cpu: Option<Place>,
    pids: Option<Place>,
    freezer: Option<Place>,
    /// The names of our folders in each place.
    name: String,
}

/// Where a controller's groups are made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    base: PathBuf,
    v2: bool,
}

/// One sandbox's group: a folder in each hierarchy.
#[derive(Debug, Default)]
pub struct Group {
    memory: Option<Place>,
    cpu: Option<Place>,
    pids: Option<Place>,
    freezer: Option<Place>,
}

const PREFIX: &str = "fogbank-";

impl Groups {
    /// Finds what is mounted and writable, and clears away what earlier runs have left there.
    #[must_use]
    pub fn open() -> Groups {
        let read = |p: &str| fs::read_to_string(p).unwrap_or_default();
        let places = places(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"));
        let pid = std::process::id();
        // More than one of these may live in a process.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{pid}-{}-{number}", started(pid).unwrap_or(0));
        let mut groups = Groups { name, ..Groups::default() };
        for (controllers, base) in places {
            sweep(&base);
            match controllers {
                Some(list) => groups.open_v1(&list, &base),
                None => groups.open_v2(&base),
            }
        }
        // All sandboxes together weigh as much as a busy program per processor.
        if let Some(p) = &groups.cpu {
            let n = std::thread::available_parallelism().map_or(1, usize::from);
            let (file, one) = if p.v2 { ("cpu.weight", 100) } else { ("cpu.shares", 1024) };
            let _ = p.write(file, &((n * one).min(10_000)));
        }
        groups
    }

    /// Whether memory, processor and process limits can all be set.
    #[must_use]
    pub fn limits(&self) -> bool {
        self.memory.is_some() && self.cpu.is_some() && self.pids.is_some()
    }

    /// Whether groups can be frozen.
    #[must_use]
    pub fn freezes(&self) -> bool {
        self.freezer.is_some()
    }

    fn open_v1(&mut self, list: &str, base: &Path) {
        let ours = base.join(&self.name);
        let wanted = ["memory", "cpu", "pids", "freezer"];
        if !list.split(',').any(|c| wanted.contains(&c)) || make(&ours).is_err() {
            return;
        }
        let place = Place { base: ours, v2: false };
        for controller in list.split(',') {
            match controller {
                "memory" => self.memory = Some(place.clone()),
                "cpu" => self.cpu = Some(place.clone()),
                "pids" => self.pids = Some(place.clone()),
                "freezer" => self.freezer = Some(place.clone()),
                _ => {}
            }
        }
    }

    fn open_v2(&mut self, base: &Path) {
        let has = |p: &Path, file: &str, what: &str| {
            fs::read_to_string(p.join(file)).is_ok_and(|s| s.split_whitespace().any(|c| c == what))
        };
        let controllers = ["memory", "cpu", "pids"];
        let ours = base.join(&self.name);
        if make(&ours).is_err() {
            return;
        }
        for c in controllers.into_iter().filter(|c| has(base, "cgroup.controllers", c)) {
            let enable = |p: &Path| fs::write(p.join("cgroup.subtree_control"), format!("+{c}"));
            if !has(base, "cgroup.subtree_control", c) && enable(base).is_err() {
                // A group with processes of its own may not divide what it has: we step down into
                // a leaf, if nobody else is here.
                let _ = step_down(base, &self.name).and_then(|()| enable(base));
            }
            if enable(&ours).is_err() {
                continue;
            }
            let place = Some(Place { base: ours.clone(), v2: true });
            match c {
                "memory" => self.memory = self.memory.take().or(place),
                "cpu" => self.cpu = self.cpu.take().or(place),
                _ => self.pids = self.pids.take().or(place),
            }
        }
        let place = Place { base: ours, v2: true };
        self.freezer = self.freezer.take().or(Some(place));
    }

    /// Removes our own folders, which must be empty by now.
    pub fn close(&self) {
        for p in [&self.memory, &self.cpu, &self.pids, &self.freezer].into_iter().flatten() {
            let _ = fs::remove_dir(&p.base);
        }
    }

    /// Makes the group of a sandbox.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn make(&self, id: u64, limits: &Limits) -> io::Result<Group> {
        let below = |place: &Option<Place>| -> io::Result<Option<Place>> {
            let Some(p) = place else { return Ok(None) };
            let base = p.base.join(id.to_string());
            make(&base)?;
            Ok(Some(Place { base, v2: p.v2 }))
        };
        let group = Group {
            memory: below(&self.memory)?,
            cpu: below(&self.cpu)?,
            pids: below(&self.pids)?,
            freezer: below(&self.freezer)?,
        };
        group.set(limits)?;
        Ok(group)
    }
}

impl Drop for Group {
    /// Removes the folders; what still lives in them keeps them until the next start's sweep.
    fn drop(&mut self) {
        for p in self.places() {
            let _ = fs::remove_dir(&p.base);
        }
    }
}

impl Group {
    /// No group at all.
    #[must_use]
    pub const fn none() -> Group {
        Group { memory: None, cpu: None, pids: None, freezer: None }
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        let all = [&self.memory, &self.cpu, &self.pids, &self.freezer];
        all.into_iter().flatten()
    }

    /// Sets the limits.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn set(&self, l: &Limits) -> io::Result<()> {
        let quota = u64::from(l.cpu_millis.div_ceil(1000).max(1)) * 100_000;
        self.set_weight(l.cpu_millis)?;
        if let Some(p) = &self.cpu {
            if p.v2 {
                p.write("cpu.max", &format!("{quota} 100000"))?;
            } else {
                p.write("cpu.cfs_quota_us", &quota)?;
            }
        }
        if let Some(p) = &self.pids {
            p.write("pids.max", &l.processes)?;
        }
        if let Some(p) = &self.memory
            && p.v2
        {
            // Where swap is not accounted for, the file is not there.
            let _ = p.write("memory.swap.max", &0);
        }
        self.set_memory(l.memory)
    }

    /// Sets the weight against others alone, in thousandths of a processor.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn set_weight(&self, cpu_millis: u32) -> io::Result<()> {
        match &self.cpu {
            Some(p) if p.v2 => p.write("cpu.weight", &((cpu_millis / 10).clamp(1, 10_000))),
            Some(p) => p.write("cpu.shares", &((cpu_millis * 1024 / 1000).max(2))),
            None => Ok(()),
        }
    }

    /// Sets the memory limit alone.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn set_memory(&self, bytes: u64) -> io::Result<()> {
        let Some(p) = &self.memory else { return Ok(()) };
        if p.v2 {
            return p.write("memory.max", &bytes);
        }
        // The limit with swap may not be the lower one, at any moment.
        let swap = p.write("memory.memsw.limit_in_bytes", &bytes);
        p.write("memory.limit_in_bytes", &bytes)?;
        if swap.is_err() {
            let _ = p.write("memory.memsw.limit_in_bytes", &bytes);
        }
        Ok(())
    }

    /// Files to which a process with one thread writes `0` to enter the group, the freezer apart.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn doors(&self) -> io::Result<(Vec<OwnedFd>, Option<OwnedFd>)> {
        let mut places: Vec<&Place> = Vec::new();
        for p in [&self.memory, &self.cpu, &self.pids].into_iter().flatten() {
            if !places.contains(&p) {
                places.push(p);
            }
        }
        let freezer = self.freezer.as_ref().filter(|p| !places.contains(p));
        let freezer = freezer.map(Place::door).transpose()?;
        Ok((places.into_iter().map(Place::door).collect::<io::Result<_>>()?, freezer))
    }

    /// For the first generation, where what is frozen cannot be killed: the file that thaws.
    #[must_use]
    pub fn thaw_file(&self) -> Option<OwnedFd> {
        let p = self.freezer.as_ref().filter(|p| !p.v2)?;
        let file = OpenOptions::new().write(true).open(p.base.join("freezer.state")).ok()?;
        Some(file.into())
    }

    /// Whether the freezer is of the second generation, or there is none.
    #[must_use]
    pub fn dies_frozen(&self) -> bool {
        self.freezer.as_ref().is_none_or(|p| p.v2)
    }

    /// Stops or continues everything in the group. False where there is no freezer.
    #[must_use]
    pub fn freeze(&self, frozen: bool) -> bool {
        let Some(p) = &self.freezer else { return false };
        let written = if p.v2 {
            p.write("cgroup.freeze", &u8::from(frozen))
        } else {
            p.write("freezer.state", &(if frozen { "FROZEN" } else { "THAWED" }))
        };
        written.is_ok()
    }

    /// Kills every process in the group but one, new ones included. False where there is no
    /// freezer to hold them.
    #[must_use]
    pub fn kill_all_but(&self, spared: i32) -> bool {
        let Some(p) = &self.freezer else { return false };
        for _ in 0..200 {
            // What is frozen cannot fork away from under the list.
            if !p.v2 {
                let _ = self.freeze(true);
            }
            let inside = p.read("cgroup.procs").unwrap_or_default();
            let mut any = false;
            for pid in inside.lines().filter_map(|l| l.parse().ok()).filter(|p| *p != spared) {
                any = true;
                if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                }
            }
            let _ = self.freeze(false);
            if !any {
                return true;
            }
            let pause = rustix::event::Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
            let _ = rustix::event::poll(&mut [], Some(&pause));
        }
        false
    }

    /// The most bytes that were ever in use, file caches included.
    #[must_use]
    pub fn peak(&self) -> Option<u64> {
        let p = self.memory.as_ref()?;
        let file = if p.v2 { "memory.peak" } else { "memory.max_usage_in_bytes" };
        p.read(file)?.trim().parse().ok()
    }

    /// The file that tells the bytes in use now.
    pub fn usage_file(&self) -> Option<fs::File> {
        let p = self.memory.as_ref()?;
        let file = if p.v2 { "memory.current" } else { "memory.usage_in_bytes" };
        fs::File::open(p.base.join(file)).ok()
    }

    /// Bytes that the programs hold: their own, and files in memory. Caches of files on a disk,
    /// which go when there is need, are left out.
    #[must_use]
    pub fn held(&self) -> Option<(u64, u64)> {
        let p = self.memory.as_ref()?;
        let stat = p.read("memory.stat")?;
        let (own, files) = if p.v2 { ("anon", "shmem") } else { ("total_rss", "total_shmem") };
        Some((field(&stat, own)?, field(&stat, files).unwrap_or(0)))
    }

    /// How many processes were killed for want of memory.
    #[must_use]
    pub fn out_of_memory(&self) -> u64 {
        let Some(p) = &self.memory else { return 0 };
        let file = if p.v2 { "memory.events" } else { "memory.oom_control" };
        p.read(file).and_then(|s| field(&s, "oom_kill")).unwrap_or(0)
    }
}

impl Place {
    fn write(&self, file: &str, value: &dyn std::fmt::Display) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut f = options.write(true).open(self.base.join(file))?;
        io::Write::write_all(&mut f, value.to_string().as_bytes())
    }

    /// In the first generation a thread that moves itself spares the kernel a wait of some
    /// milliseconds, for which a whole process needs every processor to come by.
    fn door(&self) -> io::Result<OwnedFd> {
        let file = self.base.join(if self.v2 { "cgroup.procs" } else { "tasks" });
        Ok(OpenOptions::new().write(true).open(file)?.into())
    }

    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.base.join(file)).ok()
    }
}

/// The value of a line `name value`.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

fn make(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Moves this process into a leaf below `base`, if it is alone there.
fn step_down(base: &Path, name: &str) -> io::Result<()> {
    let inside = fs::read_to_string(base.join("cgroup.procs"))?;
    let ours = std::process::id().to_string();
    if inside.lines().any(|l| l != ours) {
        return Err(io::Error::other("others are in this group"));
    }
    let leaf = base.join(format!("{name}-main"));
    make(&leaf)?;
    fs::write(leaf.join("cgroup.procs"), ours)
}

/// The folder of our own process in each hierarchy, with its controllers (`None`: version 2).
fn places(mountinfo: &str, own: &str) -> Vec<(Option<String>, PathBuf)> {
    let mut found = Vec::new();
    for line in mountinfo.lines() {
        // 31 23 0:26 /docker/x /sys/fs/cgroup/memory rw,… - cgroup cgroup rw,memory
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let left: Vec<&str> = left.split(' ').collect();
        let right: Vec<&str> = right.split(' ').collect();
        let (Some(root), Some(point), Some(kind)) = (left.get(3), left.get(4), right.first())
        else {
            continue;
        };
        let options = right.get(2).copied().unwrap_or_default();
        // 4:memory:/docker/x
        let path = own.lines().find_map(|l| {
            let mut parts = l.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            let fits = match *kind {
                "cgroup2" => controllers.is_empty(),
                "cgroup" => {
                    !controllers.is_empty()
                        && controllers.split(',').all(|c| options.split(',').any(|o| o == c))
                }
                _ => false,
            };
            fits.then_some((controllers, path))
        });
        let Some((controllers, path)) = path else { continue };
        let inside = path.strip_prefix(root.trim_end_matches('/')).unwrap_or("");
        let base = Path::new(point).join(inside.trim_start_matches('/'));
        found.push(((*kind == "cgroup").then(|| controllers.to_owned()), base));
    }
    found
}

/// When a process started, in the kernel's ticks; `None` when there is no such process.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything.
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// Ends and removes the groups of processes of ours that are no more.
fn sweep(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((pid, start)) = name.to_str().and_then(maker) else { continue };
        if started(pid) != Some(start) {
            clear(&entry.path());
        }
    }
}

/// The process that a folder of ours is named after, and when it started.
fn maker(name: &str) -> Option<(u32, u64)> {
    let mut parts = name.strip_prefix(PREFIX)?.split('-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Kills whatever is in a group and those below it, and removes them.
fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            clear(&entry.path());
        }
    }
    let _ = fs::write(folder.join("cgroup.kill"), "1");
    let pids = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in pids.lines().filter_map(|l| rustix::process::Pid::from_raw(l.parse().ok()?)) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    if folder.join("freezer.state").exists() {
        let _ = fs::write(folder.join("freezer.state"), "THAWED");
    }
    // The dead leave when they have been scheduled once more.
    for _ in 0..100 {
        match fs::remove_dir(folder) {
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {}
            // Gone, or another user's.
            _ => return,
        }
        let pause = rustix::event::Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
        let _ = rustix::event::poll(&mut [], Some(&pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_place_is_found_in_each_hierarchy() {
        let mounts = "\
            29 22 0:25 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755\n\
            31 29 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
            32 29 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
            33 29 0:29 /docker/a /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
            30 29 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let own = "5:memory:/x/y\n4:cpu,cpuacct:/\n3:pids:/docker/a/b\n1:name=systemd:/\n0::/u\n";
        let place = |c: Option<&str>, p: &str| (c.map(str::to_owned), PathBuf::from(p));
        assert_eq!(
            places(mounts, own),
            [
                place(Some("memory"), "/sys/fs/cgroup/memory/x/y"),
                place(Some("cpu,cpuacct"), "/sys/fs/cgroup/cpu,cpuacct/"),
                place(Some("pids"), "/sys/fs/cgroup/pids/b"),
                place(None, "/sys/fs/cgroup/unified/u"),
            ]
        );
    }

    #[test]
    fn a_process_has_a_start_and_no_process_has_none() {
        assert!(started(std::process::id()).is_some_and(|s| s > 0));
        assert_eq!(started(u32::MAX), None);
        assert_eq!(maker("fogbank-12-345-0"), Some((12, 345)));
        assert_eq!(maker("fogbank-12-345-0-main"), Some((12, 345)));
        assert_eq!(maker("fogbank-slice"), None);
        assert_eq!(field("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "oom_kill"), Some(3));
    }
}
