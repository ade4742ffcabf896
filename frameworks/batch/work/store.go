package work

import (
	"context"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle/store"
)

func openStore(env *core.Env) (*store.Client, error) { return store.Open(env.Store) }

// put stores a file under "bucket/key".
func put(ctx context.Context, env *core.Env, object, file string) error {
	st, err := openStore(env)
	if err != nil {
		return err
	}
	defer st.Close()
	_, err = st.PutFile(ctx, object, file, store.PutOptions{})
	return err
}
