package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// settingsFile reads assay.yaml into a tree of values, and tells of each fault in which line it is.
type settingsFile struct {
	path   string
	notes  []string
	faults []error
}

// loadFile returns the settings in a file, by section, and notes about those that have another name now. A file that is not named
// may be absent.
func loadFile(path string) (values map[string]any, notes []string, err error) {
	optional := path == ""
	if optional {
		path = DefaultFile
	}
	text, err := os.ReadFile(path)
	switch {
	case optional && errors.Is(err, fs.ErrNotExist):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("%w: cannot read the settings: %w", ErrInvalid, err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, nil, fmt.Errorf("%w: %s is not valid YAML: %s", ErrInvalid, path, yamlFault(err))
	}
	if len(doc.Content) == 0 {
		return nil, nil, nil
	}
	f := &settingsFile{path: path}
	tree, _ := f.value("", doc.Content[0], reflect.TypeFor[Config]()).(map[string]any)
	return tree, f.notes, errors.Join(f.faults...)
}

// yamlFault is what the parser says, which leaves the first line out.
func yamlFault(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if !strings.HasPrefix(text, "line ") {
		text = "line 1: " + text
	}
	return text
}

// fault notes what is wrong at a place.
func (f *settingsFile) fault(at *yaml.Node, format string, args ...any) any {
	f.faults = append(f.faults, fmt.Errorf("%w: %s:%d: %w", ErrInvalid, f.path, at.Line, fmt.Errorf(format, args...)))
	return nil
}

// value is that of a node, as its setting takes it; nil if it has none.
func (f *settingsFile) value(key string, node *yaml.Node, t reflect.Type) any {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	empty := node.Kind == yaml.ScalarNode && node.Tag == "!!null"
	switch {
	case t.Kind() == reflect.Struct && node.Kind == yaml.MappingNode:
		return f.section(key, node, t)
	case t.Kind() == reflect.Map && node.Kind == yaml.MappingNode:
		tree := map[string]any{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			name := node.Content[i].Value
			tree[name] = f.value(join(key, name), node.Content[i+1], t.Elem())
		}
		return tree
	case t.Kind() == reflect.Slice && node.Kind == yaml.SequenceNode:
		list := []any{}
		for _, item := range node.Content {
			if t.Elem().Kind() == reflect.Struct && item.Kind != yaml.MappingNode {
				return f.fault(item, "%s is a list of sections, each with settings of its own", key)
			}
			list = append(list, f.value(key, item, t.Elem()))
		}
		return list
	case empty:
		return nil
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		return f.fault(node, "%s is a section with settings below it, not a value", or(key, "the file"))
	case t.Kind() == reflect.Interface:
		var value any
		if err := node.Decode(&value); err != nil {
			return f.fault(node, "%s: %w", key, err)
		}
		return value
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		return f.fault(node, "%s is a list of sections, not a value", key)
	case node.Kind != yaml.ScalarNode:
		return f.fault(node, "%s takes one value", key)
	case t.Kind() == reflect.Slice: // of texts, separated by commas
		return node.Value
	}
	value, err := parseValue(key, node.Value, t)
	if err != nil {
		f.faults = append(f.faults, fmt.Errorf("%s:%d: %w", f.path, node.Line, err))
		return nil
	}
	return value
}

// section reads the settings below a key.
func (f *settingsFile) section(key string, node *yaml.Node, t reflect.Type) any {
	tree, fields := map[string]any{}, fieldsOf(t)
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		full := join(key, name.Value)
		if now, ok := renamed[full]; ok && now.section() == key {
			v, err := now.value(value.Value)
			if err != nil {
				f.fault(value, "%s: %w", full, err)
				continue
			}
			tree[now.name()] = v
			f.notes = append(f.notes, fmt.Sprintf("%s:%d: %s", f.path, name.Line, now.note(full, v)))
			continue
		}
		field, ok := fields[name.Value]
		if !ok {
			f.fault(name, "unknown setting %s%s; assay.example.yaml lists all", full, suggestion(full))
			continue
		}
		if v := f.value(full, value, field); v != nil {
			tree[name.Value] = v
		}
	}
	return tree
}

// fieldsOf are the keys of a section, each with the type that it takes.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("koanf"); key != "" && key != "-" {
			fields[key] = t.Field(i).Type
		}
	}
	return fields
}

// leaves are all settings that take one value or a list of texts, with their types.
func leaves() map[string]reflect.Type {
	all := map[string]reflect.Type{}
	var walk func(key string, t reflect.Type)
	walk = func(key string, t reflect.Type) {
		switch t.Kind() {
		case reflect.Struct:
			for name, field := range fieldsOf(t) {
				walk(join(key, name), field)
			}
		case reflect.Map:
		default:
			if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct {
				return
			}
			all[key] = t
		}
	}
	walk("", reflect.TypeFor[Config]())
	return all
}

// suggestion names the setting that a name comes nearest to, if any is near.
func suggestion(key string) string {
	if best := nearest(key, slices.Concat(sections(), sorted(leaves()))); best != "" {
		return " (did you mean " + best + "?)"
	}
	return ""
}

// sections are the keys that have settings below them.
func sections() (keys []string) {
	for name, t := range fieldsOf(reflect.TypeFor[Config]()) {
		if t.Kind() == reflect.Struct || t.Kind() == reflect.Map || t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct {
			keys = append(keys, name)
		}
	}
	slices.Sort(keys)
	return keys
}

func sorted[V any](m map[string]V) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func join(section, name string) string {
	if section == "" {
		return name
	}
	return section + "." + name
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
