package submit

import (
	"os"
	"os/exec"
	"testing"
)

func TestStaticPrograms(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := IsStatic(self); err != nil {
		t.Error(err)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	if static, err := IsStatic(sh); err != nil || static {
		t.Errorf("%s is static: %v, %v", sh, static, err)
	}
	if _, err := IsStatic("/etc/passwd"); err == nil {
		t.Error("a text file was taken for a program")
	}
}
