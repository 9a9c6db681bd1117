package desk

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
)

func TestAnEmptyStatusIsToldWhatToSend(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for _, text := range []string{"", " \n"} {
		_, err := o.PutStatus(within(t), ctl.Name{Kind: "bot", Name: "a"}, []byte(text))
		var no *ctl.Refusal
		if !errors.As(err, &no) || no.Code != http.StatusBadRequest || no.Field != "status" || !strings.Contains(no.Text, `{"status": null}`) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
