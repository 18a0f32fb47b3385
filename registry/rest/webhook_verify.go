package rest

import (
	"crypto/hmac"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// What VerifyDelivery finds wrong.
var (
	ErrNoSignature  = errors.New("no signature")
	ErrBadSignature = errors.New("the signature is not that of the secret")
	ErrStale        = errors.New("the delivery is more than five minutes old")
)

// maxDeliveryAge is how old a delivery may be that a receiver trusts, as MLflow's documentation advises.
const maxDeliveryAge = 5 * time.Minute

// VerifyDelivery checks a delivery as its receiver should: the signature of MLflow's headers under the secret, and that it is not an old one
// sent again (contract/behaviours.md, section 12).
func VerifyDelivery(secret string, header http.Header, body []byte, now time.Time) error {
	given, timestamp := header.Get("X-MLflow-Signature"), header.Get("X-MLflow-Timestamp")
	if given == "" {
		return ErrNoSignature
	}
	if !hmac.Equal([]byte(given), []byte(sign(secret, header.Get("X-MLflow-Delivery-Id"), timestamp, body))) {
		return ErrBadSignature
	}
	if seconds, err := strconv.ParseInt(timestamp, 10, 64); err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > maxDeliveryAge {
		return ErrStale
	}
	return nil
}
