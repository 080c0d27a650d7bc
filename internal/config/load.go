package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
)

// DefaultFile is read from the working directory if it exists and no other file is named.
const DefaultFile = "assay.yaml"

// EnvPrefix starts the name of every environment variable that is a setting.
const EnvPrefix = "ASSAY_"

// notSettings are variables with the prefix that other parts of Assay read.
var notSettings = []string{"ASSAY_CONFIG", "ASSAY_SERVER", "ASSAY_NATIVE_LIB", "ASSAY_CACHE", "ASSAY_MODEL_DIR", "ASSAY_EMBEDDINGS_KEY", "ASSAY_REGISTRY_TOKEN"}

// envAliases are variables without the regular name, least important first.
var envAliases = []struct{ variable, key string }{
	{"ECOSYSTEM_REGISTRY_URL", "registry.url"},
	{"ASSAY_REGISTRY", "registry.url"},
}

// Load reads the settings. path names the file ("" for DefaultFile, which may be absent), environ holds the environment
// as os.Environ gives it, and flags the values given on the command line, by key. Errors wrap ErrInvalid.
func Load(path string, environ []string, flags map[string]any) (Config, error) {
	k := koanf.New(".")
	if err := k.Load(structs.Provider(Default(), "koanf"), nil); err != nil {
		return Config{}, fmt.Errorf("config: defaults: %w", err)
	}
	known := k.Keys()
	if err := loadFile(k, path); err != nil {
		return Config{}, err
	}
	env, err := fromEnv(environ, known)
	if err != nil {
		return Config{}, err
	}
	for _, layer := range []map[string]any{env, flags} {
		if err := k.Load(confmap.Provider(layer, "."), nil); err != nil {
			return Config{}, fmt.Errorf("config: %w", err)
		}
	}
	return decode(k)
}

func loadFile(k *koanf.Koanf, path string) error {
	optional := path == ""
	if optional {
		path = DefaultFile
	}
	err := k.Load(file.Provider(path), yaml.Parser())
	switch {
	case optional && errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: cannot read the settings: %w", ErrInvalid, err)
	case err != nil:
		return fmt.Errorf("%w: %s is not valid YAML: %w", ErrInvalid, path, err)
	}
	return nil
}

func fromEnv(environ, known []string) (map[string]any, error) {
	variables := map[string]string{}
	for _, key := range known {
		variables[Env(key)] = key
	}
	values, given := map[string]any{}, map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" {
			continue // set to nothing is not set
		}
		given[name] = value
		if key, ok := variables[name]; ok {
			values[key] = value
		} else if strings.HasPrefix(name, EnvPrefix) && name != "ASSAY_REGISTRY" && !slices.Contains(notSettings, name) {
			return nil, fmt.Errorf("%w: the environment variable %s is no setting; unset it or correct its name", ErrInvalid, name)
		}
	}
	for _, alias := range envAliases {
		if value := given[alias.variable]; value != "" && given[Env(alias.key)] == "" {
			values[alias.key] = value
		}
	}
	return values, nil
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
