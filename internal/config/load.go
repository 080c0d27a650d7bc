package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
)

// DefaultFile is read from the working directory if it exists and no other file is named.
const DefaultFile = "assay.yaml"

// EnvPrefix starts the name of every environment variable that is a setting.
const EnvPrefix = "ASSAY_"

// notSettings are variables with the prefix that other parts of Assay read.
var notSettings = []string{"ASSAY_CONFIG", "ASSAY_NATS_TOKEN", "ASSAY_SERVER", "ASSAY_NATIVE_LIB", "ASSAY_CACHE", "ASSAY_MODEL_DIR", "ASSAY_EMBEDDINGS_KEY", "ASSAY_REGISTRY_TOKEN"}

// envAliases are variables without the regular name, least important first.
var envAliases = []struct{ variable, key string }{
	{"ECOSYSTEM_REGISTRY_URL", "registry.url"},
	{"ASSAY_REGISTRY", "registry.url"},
	{"ASSAY_STORE", "store.url"},
}

// Load reads the settings. path names the file ("" for DefaultFile, which may be absent), environ holds the environment
// as os.Environ gives it, and flags the values given on the command line, by key. Errors wrap ErrInvalid and say where the fault
// is.
func Load(path string, environ []string, flags map[string]string) (Config, error) {
	k := koanf.New(".")
	if err := k.Load(structs.Provider(Default(), "koanf"), nil); err != nil {
		return Config{}, fmt.Errorf("config: defaults: %w", err)
	}
	tree, notes, err := loadFile(path)
	if err != nil {
		return Config{}, err
	}
	env, more, err := fromEnv(environ)
	if err != nil {
		return Config{}, err
	}
	given, last, err := fromFlags(flags)
	if err != nil {
		return Config{}, err
	}
	for _, layer := range []map[string]any{tree, env, given} {
		if err := k.Load(confmap.Provider(layer, "."), nil); err != nil {
			return Config{}, fmt.Errorf("config: %w", err)
		}
	}
	c, err := decode(k)
	c.Notes = slices.Concat(notes, more, last)
	return c, err
}

// fromEnv returns the settings in the environment, by key.
func fromEnv(environ []string) (values map[string]any, notes []string, err error) {
	variables := map[string]string{}
	types := leaves()
	for key := range types {
		variables[Env(key)] = key
	}
	for old := range renamed {
		variables[Env(old)] = old
	}
	texts, given := map[string]string{}, map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" {
			continue // set to nothing is not set
		}
		given[name] = value
		if key, ok := variables[name]; ok {
			texts[key] = value
		} else if strings.HasPrefix(name, EnvPrefix) && !slices.Contains(notSettings, name) && !isAlias(name) {
			hint := ""
			if near := nearest(name, sorted(variables)); near != "" {
				hint = " (did you mean " + near + "?)"
			}
			return nil, nil, fmt.Errorf("%w: the environment variable %s is no setting%s; unset it or correct its name", ErrInvalid, name, hint)
		}
	}
	for _, alias := range envAliases {
		if value := given[alias.variable]; value != "" && given[Env(alias.key)] == "" {
			texts[alias.key] = value
		}
	}
	return parseAll(texts, Env)
}

// fromFlags returns the settings on the command line, by key.
func fromFlags(flags map[string]string) (values map[string]any, notes []string, err error) {
	return parseAll(flags, func(key string) string {
		for _, s := range Settings {
			if s.Key == key {
				return "--" + s.Flag
			}
		}
		return "--" + flagOf(key)
	})
}

// parseAll reads the texts of settings; nameOf tells how they were given.
func parseAll(texts map[string]string, nameOf func(key string) string) (values map[string]any, notes []string, err error) {
	values = map[string]any{}
	types := leaves()
	for _, key := range sorted(texts) {
		text := texts[key]
		if now, ok := renamed[key]; ok {
			if text, err = now.value(text); err != nil {
				return nil, nil, fmt.Errorf("%w: %s: %w", ErrInvalid, nameOf(key), err)
			}
			notes = append(notes, now.note(nameOf(key), text))
			key = now.to
		}
		if types[key].Kind() == reflect.Slice {
			values[key] = text // decoding splits it
			continue
		}
		if values[key], err = parseValue(key, text, types[key]); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", nameOf(key), err)
		}
	}
	return values, notes, nil
}

func isAlias(variable string) bool {
	for _, alias := range envAliases {
		if alias.variable == variable {
			return true
		}
	}
	return false
}

// Env returns the name of a setting's environment variable.
func Env(key string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func decode(k *koanf.Koanf) (Config, error) {
	var c Config
	err := k.UnmarshalWithConf("", &c, koanf.UnmarshalConf{
		DecoderConfig: &mapstructure.DecoderConfig{
			TagName: "koanf", Result: &c, ErrorUnused: true, WeaklyTypedInput: true,
			DecodeHook: mapstructure.ComposeDecodeHookFunc(
				mapstructure.StringToTimeDurationHookFunc(), mapstructure.StringToSliceHookFunc(",")),
		},
	})
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return c, c.Validate()
}
