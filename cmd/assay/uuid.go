package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"assay/consumers/bronze"
	"assay/internal/app"
	"assay/kernels"
)

// identity tells which id a key gets, and why.
type identity struct {
	UUID       string   `json:"uuid"`
	Namespace  string   `json:"namespace"`
	Name       string   `json:"name"`
	Components []string `json:"components"`
	Exact      bool     `json:"exact"`
}

func (p *program) uuidCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "uuid KIND KEY=VALUE…",
		Short:   "Print the entity id that a natural key gets, and why",
		Example: "  assay uuid tool_invocation intent_id=step-0 workflow_id=wf-1",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			settings, err := p.settings(cmd)
			if err != nil {
				return err
			}
			keys, err := app.NaturalKeys(settings)
			if err != nil {
				return err
			}
			values, err := keyValues(args[1:])
			if err != nil {
				return err
			}
			id, err := identify(uuid.MustParse(settings.Namespace), keys.For(args[0]), values)
			if err != nil {
				return fmt.Errorf("kind %s: %w", args[0], err)
			}
			if p.json {
				return p.printJSON(id)
			}
			form := "without case"
			if id.Exact {
				form = "exact"
			}
			fmt.Fprintf(p.stdout, "uuid       %s\nnamespace  %s\nname       %s\nkey        %s (%s)\n",
				id.UUID, id.Namespace, id.Name, strings.Join(id.Components, " | "), form)
			return nil
		},
	}
	addSettings(cmd, "namespace")
	return cmd
}

func keyValues(args []string) (map[string]string, error) {
	values := map[string]string{}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not KEY=VALUE", arg)
		}
		if !slices.Contains(bronze.KeyComponents, name) {
			return nil, fmt.Errorf("no component %q; use %s", name, strings.Join(bronze.KeyComponents, ", "))
		}
		values[name] = value
	}
	return values, nil
}

// identify takes the first key of which all components are given, as Silver does: only the workflow may be empty.
func identify(namespace uuid.UUID, keys []bronze.Key, values map[string]string) (*identity, error) {
	var wanted []string
	for _, key := range keys {
		var parts []string
		for _, component := range key.Components {
			if value, ok := values[component]; ok && (value != "" || component == "workflow_id") {
				parts = append(parts, kernels.NormaliseString(value, key.Exact))
			}
		}
		if len(parts) == len(key.Components) {
			name := kernels.JoinStrings(parts...)
			return &identity{kernels.UUID(namespace, name).String(), namespace.String(), name, key.Components, key.Exact}, nil
		}
		wanted = append(wanted, strings.Join(key.Components, " and "))
	}
	return nil, fmt.Errorf("give %s", strings.Join(wanted, ", or "))
}
