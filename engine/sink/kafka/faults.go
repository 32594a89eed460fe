//go:build !nosinks

package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"cairn/engine/sink"

	"github.com/twmb/franz-go/pkg/kerr"
)

// This file says of each error whether it passes, and by which name everybody may know it.

// passing are errors that no retry of the same request ends, but a new session does. An error that
// is not here passes where Kafka calls it retriable.
var passing = map[int16]bool{
	kerr.UnknownServerError.Code:           true,
	kerr.NotEnoughReplicasAfterAppend.Code: true,
	kerr.OutOfOrderSequenceNumber.Code:     true,
	kerr.DuplicateSequenceNumber.Code:      true,
	kerr.InvalidProducerEpoch.Code:         true, // of a transaction that took too long, or of another writer: the next session sees which
	kerr.ProducerFenced.Code:               true,
	kerr.InvalidTxnState.Code:              true,
	kerr.InvalidProducerIDMapping.Code:     true,
	kerr.UnknownProducerID.Code:            true,
	kerr.TransactionCoordinatorFenced.Code: true,
	kerr.ConcurrentTransactions.Code:       true,
	kerr.OperationNotAttempted.Code:        true,
	kerr.TransactionAbortable.Code:         true,
	kerr.OffsetOutOfRange.Code:             true,
	kerr.InvalidFetchSize.Code:             true,
	kerr.UnknownTopicOrPartition.Code:      true, // the topic was there when the sink was opened
	kerr.ReassignmentInProgress.Code:       true,
	kerr.PreferredLeaderNotAvailable.Code:  true,
	kerr.EligibleLeadersNotAvailable.Code:  true,
	kerr.CoordinatorLoadInProgress.Code:    true,
	kerr.CoordinatorNotAvailable.Code:      true,
	kerr.NotCoordinator.Code:               true,
	kerr.NotController.Code:                true,
	kerr.ThrottlingQuotaExceeded.Code:      true,
	kerr.KafkaStorageError.Code:            true,
}

// codeOf returns the fault of an answer's error code, nil for 0. what was asked, for the admin.
func codeOf(code int16, what string) *sink.Fault {
	if code == 0 {
		return nil
	}
	e := kerr.TypedErrorForCode(code)
	return &sink.Fault{Passes: e.Retriable || passing[code], Code: e.Message, Err: fmt.Errorf("%s: %w", what, e)}
}

// isKafka says whether an error is that error of Kafka.
func isKafka(err error, of ...*kerr.Error) bool {
	e, ok := errors.AsType[*kerr.Error](err)
	if !ok {
		return false
	}
	for _, o := range of {
		if e.Code == o.Code {
			return true
		}
	}
	return false
}

// networkFault is the fault of a connection.
func networkFault(ctx context.Context, broker string, err error) *sink.Fault {
	f := &sink.Fault{Passes: true, Code: "unreachable", Err: fmt.Errorf("broker %s: %w", broker, err)}
	var op net.Error
	switch {
	case ctx.Err() != nil:
		f.Code, f.Err = "canceled", fmt.Errorf("broker %s: %w", broker, context.Cause(ctx))
	case errors.As(err, new(*tls.CertificateVerificationError)), errors.As(err, new(x509.UnknownAuthorityError)), errors.As(err, new(x509.HostnameError)):
		f.Passes, f.Code = false, "tls"
	case errors.As(err, new(tls.RecordHeaderError)):
		f.Passes, f.Code = false, "tls"
		f.Err = fmt.Errorf("broker %s does not speak TLS: %w", broker, err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &op) && op.Timeout():
		f.Code = "timeout"
	}
	return f
}

// lasting is a fault that somebody has to mend.
func lasting(code, format string, args ...any) *sink.Fault {
	return &sink.Fault{Code: code, Err: fmt.Errorf(format, args...)}
}

// passes is a fault that ends by itself.
func passes(code, format string, args ...any) *sink.Fault {
	return &sink.Fault{Passes: true, Code: code, Err: fmt.Errorf(format, args...)}
}
