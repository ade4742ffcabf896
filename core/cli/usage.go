package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/capstan-run/capstan/core"
)

// takes holds a command to as many arguments as its Use names: at most most,
// or any number from least on where most is negative.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		_, names, _ := strings.Cut(cmd.Use, " ")
		var what string
		switch {
		case len(args) < least:
			what = fmt.Sprintf("%s wants %s", cmd.CommandPath(), names)
		case most < 0 || len(args) <= most:
			return nil
		case most == 0:
			what = fmt.Sprintf("%s takes no argument, and got %q", cmd.CommandPath(), args[0])
		default:
			what = fmt.Sprintf("%s takes %s, and got %q besides", cmd.CommandPath(), names, args[most])
		}
		return core.Errorf(core.Invalid, "%s", what).Do("`" + cmd.CommandPath() + " --help` says more")
	}
}

// family makes a command of its subcommands: alone it shows its help, and a
// name that none of them has is a fault.
func family(c *cobra.Command, members ...*cobra.Command) *cobra.Command {
	c.AddCommand(members...)
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		e := core.Errorf(core.Invalid, "%s has no command %q", cmd.CommandPath(), args[0])
		cmd.SuggestionsMinimumDistance = 2
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return e.Do(fmt.Sprintf("did you mean `%s %s`?", cmd.CommandPath(), near[0]))
		}
		return e.Do("`" + cmd.CommandPath() + " --help` lists them")
	}
	return c
}

// oneOf refuses a flag's value that is none of those it may have.
func oneOf(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return core.Errorf(core.Invalid, "%s %q is not known", flag, value).Do("one of " + strings.Join(allowed, ", "))
}

// choose offers a flag's values to the shell.
func choose(c *cobra.Command, flag string, values ...string) {
	// The flag is there: it was made one line above.
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// usageError is what cobra itself refuses: an unknown flag, a value of the
// wrong type.
func usageError(cmd *cobra.Command, err error) *core.Error {
	return core.Errorf(core.Invalid, "%v", err).Do("`" + cmd.CommandPath() + " --help` lists the flags")
}
