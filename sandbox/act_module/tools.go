//go:build tools

package act

import _ "github.com/nektos/act"
