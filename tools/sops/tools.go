//go:build tools

// Package tools names the programs that tools/sops.sh builds, so that go.mod pins them.
package tools

import (
	_ "github.com/getsops/sops/v3/cmd/sops"
)
