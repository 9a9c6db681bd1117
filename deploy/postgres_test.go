package deploy

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// postgres is the command of a PostgreSQL server with the user, password and database that the image makes of its environment.
func (t *topology) postgres(name string) (argv []string, as *syscall.Credential) {
	t.tb.Helper()
	const data = "/var/lib/postgresql/data"
	s := t.project.Services[name]
	dir, who, password := t.mounts[name][data], *s.Environment["POSTGRES_USER"], *s.Environment["POSTGRES_PASSWORD"]
	if dir == "" || *s.Environment["POSTGRES_DB"] != who {
		t.tb.Fatalf("%s: want a volume at %s, and a database of the user's name", name, data)
	}
	bin, err := postgresPrograms()
	if err != nil {
		t.tb.Fatal(err)
	}
	if os.Geteuid() == 0 { // it refuses to run as root
		if as, err = account("postgres"); err != nil {
			t.tb.Fatal(err)
		}
	}
	program := func(name string) string { return filepath.Join(bin, name) }
	argv = []string{program("postgres"), "-D", dir, "-h", t.address[name], "-p", "5432", "-k", "", "-F"}
	if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); err == nil {
		return argv, as
	}
	// As the image does: a cluster whose first user has the password, and a database that is made while nobody else can connect.
	secret := filepath.Join(t.dir, name+"-password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		t.tb.Fatal(err)
	}
	if as != nil {
		for _, path := range []string{dir, secret} {
			if err := os.Chown(path, int(as.Uid), int(as.Gid)); err != nil {
				t.tb.Fatal(err)
			}
		}
	}
	for _, c := range []struct{ argv []string }{
		{[]string{program("initdb"), "-D", dir, "-U", who, "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--locale", "C", "-N"}},
		{[]string{"sh", "-c", `echo "CREATE DATABASE ` + who + `" | ` + program("postgres") + ` --single -D "` + dir + `" postgres`}},
	} {
		cmd := exec.CommandContext(t.tb.Context(), c.argv[0], c.argv[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		cmd.Dir = "/"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.tb.Fatalf("%q: %v\n%s", c.argv, err, out)
		}
	}
	return argv, as
}

// postgresPrograms is the folder of the newest server here: Debian has one for each major version, others have it in the PATH.
func postgresPrograms() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("no PostgreSQL server here: apt-get install postgresql")
	}
	return filepath.Dir(path), nil
}

func account(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}
