package event

import (
	"crypto/sha256"
	"encoding/base64"
)

// hashSize is how many bytes of the SHA-256 travel.
const hashSize = 16

// HashKey is the argsHash of a canonical key: unpadded base64url of the first 16 bytes of its SHA-256, 22 characters.
func HashKey(canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	return base64.RawURLEncoding.EncodeToString(sum[:hashSize])
}

// legalHash takes exactly what HashKey can have made: one text a hash.
func legalHash(s string) bool {
	if len(s) != base64.RawURLEncoding.EncodedLen(hashSize) {
		return false
	}
	for i := range len(s) { // the decoder would pass over line ends
		if !letter(s[i]) && !digit(s[i]) && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil
}
