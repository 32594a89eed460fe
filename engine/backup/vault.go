package backup

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// This file encrypts. The key of a store is an X25519 identity of age. It lies in the bucket,
// encrypted with the passphrase, as KeyName and in every manifest. Objects are age files for that
// key, and their names are HMACs of their content's hash, so the bucket's owner learns sizes and
// times alone.

// KeyName is the object with the key of the store. A bucket without one is not encrypted.
const KeyName = "key.age"

// ObjectPrefix begins the names of objects that are named by their content.
const ObjectPrefix = "obj/"

// scryptWork is the work of a guess at the passphrase: 2^16, which takes 64 MiB for an instant. It is
// paid once a start. More would not fit beside a store with little memory. Tests take less.
var scryptWork = 16

// scryptMost bounds the work that a key in a bucket may ask for: whoever can write to the bucket must not
// fill the memory of the server.
const scryptMost = 16

// ErrNoPassphrase and ErrPassphrase say why a bucket cannot be read.
var (
	ErrNoPassphrase = errors.New("the backup is encrypted; give its passphrase with passphrase_file")
	ErrPassphrase   = errors.New("the passphrase is not that of the backup")
)

// Vault is a bucket whose objects are encrypted if it has a key. It is used by many goroutines at once.
type Vault struct {
	Bucket
	key *vaultKey // nil = nothing is encrypted

	// limit slows down what PutText sends; nil = it does not.
	limit func(context.Context, io.ReadSeeker) io.ReadSeeker
}

type vaultKey struct {
	identity *age.X25519Identity
	wrapped  string // the identity, encrypted with the passphrase, in age's armor
	names    []byte // key of the HMACs
	header   int64  // bytes that encryption puts in front of a text
}

// OpenVault opens a bucket, and decrypts its key with the passphrase. An empty bucket gets a key if
// there is a passphrase and create is set. A bucket that has backups without a key is an error if there is
// a passphrase: it would look protected and be half of it.
func OpenVault(ctx context.Context, b Bucket, passphrase string, create bool) (*Vault, error) {
	wrapped, err := storedKey(ctx, b)
	if err != nil {
		return nil, err
	}
	switch {
	case wrapped == "" && passphrase == "":
		return &Vault{Bucket: b}, nil
	case wrapped != "" && passphrase == "":
		return nil, fmt.Errorf("%s: %w", b, ErrNoPassphrase)
	case wrapped == "":
		if begun, err := hasBackups(ctx, b); err != nil {
			return nil, err
		} else if begun {
			return nil, fmt.Errorf("%s has backups that are not encrypted; use another prefix for encrypted ones", b)
		}
		if !create {
			return &Vault{Bucket: b}, nil
		}
		if wrapped, err = makeKey(ctx, b, passphrase); err != nil {
			return nil, err
		}
	}
	key, err := unwrap(wrapped, passphrase)
	if err == nil {
		return &Vault{Bucket: b, key: key}, nil
	}
	// Every manifest has the key as well: that the object is damaged must not cost the backup.
	if other, lookErr := manifestKey(ctx, b); lookErr != nil {
		return nil, lookErr
	} else if other != "" && other != wrapped {
		if key, otherErr := unwrap(other, passphrase); otherErr == nil {
			return &Vault{Bucket: b, key: key}, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", b, err)
}

// hasKey says whether the bucket still has the key with which the vault was opened. It does not if
// another bucket is now in its place.
func (v *Vault) hasKey(ctx context.Context) (bool, error) {
	wrapped, err := storedKey(ctx, v.Bucket)
	if err != nil || v.key == nil {
		return wrapped == "", err
	}
	if wrapped != v.key.wrapped { // or the object is damaged
		wrapped, err = manifestKey(ctx, v.Bucket)
	}
	return wrapped == v.key.wrapped, err
}

// keyBytesMax bounds what is read of the key object.
const keyBytesMax = 64 << 10

// storedKey reads the key object, or if it is lost the key in the newest manifest. "" = there is none.
func storedKey(ctx context.Context, b Bucket) (string, error) {
	text, _, err := readObject(ctx, b, KeyName, keyBytesMax)
	if err == nil {
		return string(text), nil
	}
	if !errors.Is(err, ErrNotFound) {
		return "", err
	}
	return manifestKey(ctx, b)
}

// manifestKey reads the key in the newest manifest that has one. "" = there is none.
func manifestKey(ctx context.Context, b Bucket) (string, error) {
	names, err := Manifests(ctx, b)
	if err != nil {
		return "", err
	}
	for _, name := range slices.Backward(names[max(len(names)-keyTries, 0):]) {
		text, _, err := readObject(ctx, b, name, manifestBytesMax)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return "", err
		}
		var m struct {
			Key string `json:"key"`
		}
		_ = json.Unmarshal(text, &m) // whoever reads the manifest says that it is damaged
		if m.Key != "" {
			return m.Key, nil
		}
	}
	return "", nil
}

// keyTries is in how many manifests the key is looked for: some may be damaged.
const keyTries = 3

func hasBackups(ctx context.Context, b Bucket) (bool, error) {
	found := errors.New("found")
	err := b.List(ctx, SnapPrefix, func(Info) error { return found })
	if errors.Is(err, found) {
		return true, nil
	}
	return false, err
}

// makeKey makes a key and stores it, unless another process is faster. It returns the stored one.
func makeKey(ctx context.Context, b Bucket, passphrase string) (string, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return "", err
	}
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return "", err
	}
	recipient.SetWorkFactor(scryptWork)
	var text bytes.Buffer
	a := armor.NewWriter(&text)
	w, err := age.Encrypt(a, recipient)
	if err == nil {
		_, err = io.WriteString(w, identity.String())
	}
	if err != nil {
		return "", err
	}
	if err := errors.Join(w.Close(), a.Close()); err != nil {
		return "", err
	}
	_, err = putObject(ctx, b, KeyName, text.Bytes(), Condition{New: true})
	if errors.Is(err, ErrCondition) {
		return storedKey(ctx, b)
	}
	return text.String(), err
}

// unwrap decrypts a key.
func unwrap(wrapped, passphrase string) (*vaultKey, error) {
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	id.SetMaxWorkFactor(scryptMost)
	r, err := age.Decrypt(armor.NewReader(strings.NewReader(wrapped)), id)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, ErrPassphrase
	}
	if err != nil {
		return nil, fmt.Errorf("the key of the backup is damaged: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, keyBytesMax))
	if err != nil {
		return nil, fmt.Errorf("the key of the backup is damaged: %w", err)
	}
	k := &vaultKey{wrapped: wrapped}
	if k.identity, err = age.ParseX25519Identity(string(text)); err != nil {
		return nil, fmt.Errorf("the key of the backup is damaged: %w", err)
	}
	h := hmac.New(sha256.New, text)
	h.Write([]byte("cairn: names of objects"))
	k.names = h.Sum(nil)
	empty, err := k.seal(nil)
	k.header = int64(len(empty)) - chunkTag
	return k, err
}

// Sizes of age's payload: each chunk of the text gets a tag. An empty text is one empty chunk.
const chunkText, chunkTag = 64 << 10, 16

func (k *vaultKey) encrypt(to io.Writer, from io.Reader) error {
	w, err := age.Encrypt(to, k.identity.Recipient())
	if err != nil {
		return err
	}
	_, err = io.Copy(w, from)
	return errors.Join(err, w.Close())
}

// seal encrypts a text.
func (k *vaultKey) seal(text []byte) ([]byte, error) {
	var sealed bytes.Buffer
	err := k.encrypt(&sealed, bytes.NewReader(text))
	return sealed.Bytes(), err
}

// open decrypts a text.
func (k *vaultKey) open(sealed []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), k.identity)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// Encrypted says whether the vault has a key.
func (v *Vault) Encrypted() bool { return v.key != nil }

// Object is the name of an object with the content of this SHA-256.
func (v *Vault) Object(sum [32]byte) string {
	if v.key == nil {
		return ObjectPrefix + hex.EncodeToString(sum[:])
	}
	h := hmac.New(sha256.New, v.key.names)
	h.Write(sum[:])
	return ObjectPrefix + hex.EncodeToString(h.Sum(nil))
}

// Stored is how many bytes a text of size bytes has in the bucket.
func (v *Vault) Stored(size int64) int64 {
	if v.key == nil {
		return size
	}
	return v.key.header + size + chunkTag*max(1, (size+chunkText-1)/chunkText)
}

// PutText stores a text whole.
func (v *Vault) PutText(ctx context.Context, name string, text []byte, when Condition) (Info, error) {
	if v.key != nil {
		var err error
		if text, err = v.key.seal(text); err != nil {
			return Info{}, err
		}
	}
	var body io.ReadSeeker = bytes.NewReader(text)
	if v.limit != nil {
		body = v.limit(ctx, body)
	}
	return v.Put(ctx, name, body, int64(len(text)), sha256.Sum256(text), when)
}

// PutPart stores a part of a file, whose SHA-256 is sum. limit wraps what is sent; aside is the path of
// a file that it may write and removes.
func (v *Vault) PutPart(ctx context.Context, name string, part io.ReadSeeker, size int64, sum [32]byte, aside string, limit func(io.ReadSeeker) io.ReadSeeker) (Info, error) {
	if v.key == nil {
		return v.Put(ctx, name, limit(part), size, sum, Condition{})
	}
	if _, err := part.Seek(0, io.SeekStart); err != nil {
		return Info{}, err
	}
	// The bucket wants the hash before the bytes, and no two encryptions are the same bytes.
	f, err := os.OpenFile(aside, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return Info{}, err
	}
	defer os.Remove(aside)
	defer f.Close()
	plain, sealed := sha256.New(), sha256.New()
	if err := v.key.encrypt(io.MultiWriter(f, sealed), io.TeeReader(part, plain)); err != nil {
		return Info{}, err
	}
	if !bytes.Equal(plain.Sum(nil), sum[:]) {
		return Info{}, errors.New("the file has changed since it was copied")
	}
	return v.Put(ctx, name, limit(f), v.Stored(size), [32]byte(sealed.Sum(nil)), Condition{})
}

// Open reads an object, decrypted. The caller closes it. A damaged or cut object ends with an error.
func (v *Vault) Open(ctx context.Context, name string) (io.ReadCloser, Info, error) {
	r, info, err := v.Get(ctx, name)
	if err != nil || v.key == nil {
		return r, info, err
	}
	from := &sealed{r: r}
	plain, err := age.Decrypt(from, v.key.identity)
	if err != nil {
		r.Close()
		return nil, info, fmt.Errorf("decrypt %s: %w", name, from.explain(err))
	}
	return &unsealed{from, plain, r}, info, nil
}

// sealed is an encrypted object that is being read. It tells a failure of the bucket from damage.
type sealed struct {
	r   io.Reader
	err error // of the bucket
}

func (s *sealed) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *sealed) explain(err error) error {
	if err == nil || err == io.EOF || s.err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", errDamaged, err)
}

// unsealed is an object that is being read and decrypted.
type unsealed struct {
	from  *sealed
	plain io.Reader
	io.Closer
}

func (u *unsealed) Read(p []byte) (int, error) {
	n, err := u.plain.Read(p)
	return n, u.from.explain(err)
}

// Text reads a small object, decrypted. One of more than most bytes is an error.
func (v *Vault) Text(ctx context.Context, name string, most int64) ([]byte, Info, error) {
	r, info, err := v.Open(ctx, name)
	if err != nil {
		return nil, info, err
	}
	defer r.Close()
	text, err := readMost(name, r, most)
	return text, info, err
}

// readObject reads an object as it is stored.
func readObject(ctx context.Context, b Bucket, name string, most int64) ([]byte, Info, error) {
	r, info, err := b.Get(ctx, name)
	if err != nil {
		return nil, info, err
	}
	defer r.Close()
	text, err := readMost(name, r, most)
	return text, info, err
}

func readMost(name string, r io.Reader, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s has more than %d bytes", name, most)
	}
	return text, err
}

// putObject stores a text as it is.
func putObject(ctx context.Context, b Bucket, name string, text []byte, when Condition) (Info, error) {
	return b.Put(ctx, name, bytes.NewReader(text), int64(len(text)), sha256.Sum256(text), when)
}
