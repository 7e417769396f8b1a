// Loads docker-compose.yml as Docker does (schema, interpolation, profiles, dependencies) and says what it finds. There is no Docker
// engine where this is developed.
//
//	go run . ROOT ENV_FILE [PROFILE...]
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: compose ROOT ENV_FILE [PROFILE...]")
		os.Exit(2)
	}
	if err := check(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "docker-compose.yml:", err)
		os.Exit(1)
	}
}

func check(root, envFile string, profiles []string) error {
	options, err := cli.NewProjectOptions(
		[]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithWorkingDirectory(root),
		cli.WithEnvFiles(envFile),
		cli.WithDotEnv,
		cli.WithProfiles(profiles),
	)
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	fmt.Printf("profiles %v: %d services %v\n", profiles, len(project.Services), project.ServiceNames())
	if len(project.Services) == 0 {
		return fmt.Errorf("no service in profiles %v", profiles)
	}
	return nil
}
