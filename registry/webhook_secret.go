package registry

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// ErrSecret says that a stored secret cannot be read with the store's key: the key was changed or lost.
var ErrSecret = errors.New("the webhook's secret was encrypted with another key: set the secret again, or give back MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY")

func (s *Store) secretCipher() (cipher.AEAD, error) {
	block, err := aes.NewCipher(s.cfg.SecretKey)
	if err != nil {
		return nil, fmt.Errorf("the key for webhook secrets: %w", err)
	}
	return cipher.NewGCM(block)
}

// sealSecret encrypts a secret for its column; "" is none. The nonce stands in front.
func (s *Store) sealSecret(secret string) ([]byte, error) {
	if secret == "" {
		return nil, nil
	}
	gcm, err := s.secretCipher()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize(), gcm.NonceSize()+len(secret)+gcm.Overhead())
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	return gcm.Seal(nonce, nonce, []byte(secret), nil), nil
}

// openSecret decrypts a column; none is "".
func (s *Store) openSecret(sealed []byte) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	gcm, err := s.secretCipher()
	if err != nil {
		return "", errors.Join(ErrSecret, err)
	}
	if len(sealed) < gcm.NonceSize() {
		return "", ErrSecret
	}
	secret, err := gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], nil)
	if err != nil {
		return "", ErrSecret
	}
	return string(secret), nil
}
