//go:build tools

package gateway

import _ "github.com/versity/versitygw/cmd/versitygw"
