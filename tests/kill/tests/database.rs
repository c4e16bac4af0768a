//! The databases of hosts, each with one of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use counterfoil_stores::server_url;
use sqlx::{Connection, Executor, PgConnection};
use tokio::runtime::Runtime;

/// Where a host keeps its books.
#[derive(Debug)]
pub enum Database {
    /// A file in the folder of the run.
    Sqlite,
    /// A database of a server that others use too.
    Postgres(String),
    /// A server that is this run's alone, so that it can be stopped.
    Own(Cluster),
}

impl Database {
    /// A new database of the server that the tests may use.
    pub fn postgres(test: &str) -> Option<Self> {
        let url = server_url(test)?;
        let name = unique("kill");
        block_on(async {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let create = format!("CREATE DATABASE {name}");
            connection.execute(&*create).await.unwrap();
        });
        Some(Self::Postgres(named(&url, &name)))
    }

    /// A server of its own.
    pub fn own(test: &str) -> Option<Self> {
        let _ = server_url(test)?;
        Some(Self::Own(Cluster::start()))
    }

    pub const fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite)
    }

    /// The server that is this run's alone.
    pub fn cluster(&self) -> &Cluster {
        match self {
            Self::Own(cluster) => cluster,
            _ => panic!("this run shares its server"),
        }
    }

    pub fn url(&self, folder: &Path) -> String {
        match self {
            Self::Sqlite => folder.join("shop.db").to_str().unwrap().to_owned(),
            Self::Postgres(url) => url.clone(),
            Self::Own(cluster) => cluster.url(),
        }
    }
}

/// The URL with another database in it.
fn named(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (base, _) = base.rsplit_once('/').unwrap();
    format!("{base}/{name}?{query}")
}

/// Runs something of `sqlx` to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    Runtime::new().unwrap().block_on(future)
}

/// A name that nothing else has.
pub fn unique(what: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("counterfoil_{what}_{}_{number}", std::process::id())
}

/// A PostgreSQL with a folder of its own. It refuses to run as root, so that root starts it as the
/// user `nobody`.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
}

impl Cluster {
    fn start() -> Self {
        let folder = std::env::temp_dir().join(unique("cluster"));
        fs::create_dir_all(&folder).unwrap();
        if is_root() {
            succeeds(Command::new("chown").arg("nobody").arg(&folder));
        }
        let cluster = Self { folder };
        let data = cluster.data();
        let mut initdb = cluster.command("initdb");
        initdb.arg("-D").arg(data);
        let options = [
            "-U",
            "counterfoil",
            "--auth=trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ];
        succeeds(initdb.args(options));
        cluster.start_again();
        cluster
    }

    pub fn start_again(&self) {
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={}",
            self.folder.display()
        );
        let log = self.folder.join("server.log");
        let mut start = self.command("pg_ctl");
        start.arg("-D").arg(self.data()).arg("-l").arg(log);
        succeeds(start.args(["-w", "start", "-o", &options]));
    }

    /// As when its machine falls: nothing is finished, nothing is said.
    pub fn stop_at_once(&self) {
        let mut stop = self.command("pg_ctl");
        stop.arg("-D").arg(self.data());
        succeeds(stop.args(["-m", "immediate", "stop"]));
    }

    fn url(&self) -> String {
        let folder = self.folder.display();
        format!("postgres://counterfoil@localhost/postgres?host={folder}")
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, program: &str) -> Command {
        let program = program_of_postgres(program);
        let mut command = match is_root() {
            true => Command::new("runuser"),
            false => Command::new(&program),
        };
        if is_root() {
            command.args(["-u", "nobody", "--"]).arg(program);
        }
        command.current_dir(&self.folder);
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = self.command("pg_ctl");
        stop.arg("-D").arg(self.data());
        let _ = stop.args(["-m", "immediate", "stop"]).output();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

/// Debian keeps the programs of the server out of the path.
fn program_of_postgres(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let programs = versions.map(|version| version.unwrap().path().join("bin").join(name));
    let newest = programs.filter(|program| program.exists()).max();
    newest.unwrap_or_else(|| name.into())
}

fn succeeds(command: &mut Command) {
    // A server that is started keeps the pipes of who started it: they must lead nowhere.
    let null = std::process::Stdio::null;
    let done = command.stdout(null()).stderr(null()).status();
    assert!(done.unwrap().success(), "{command:?}");
}
