package prinzbox_test

import (
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// Where passwords are asked for, a user's S3 key has his permissions; only who may manage everything opens anything to others.
func TestAuthS3Policies(t *testing.T) {
	t.Parallel()
	env, a := twoUsers(t, func(c *prinzbox.Config) {
		c.S3Keys = []prinzbox.S3Key{{AccessKey: "backup", Secret: "backup-secret", ReadOnly: true}}
	})
	eid := a.experiment("alice", "hers")
	as := func(access, secret string) *minio.Client {
		r := env.Ready()
		r.AccessKey, r.SecretKey = access, secret
		return s3Client(t, r)
	}
	alice := as("alice", a.must(200, "alice", "GET", "/api/2.0/prinzbox/s3-key", nil, "secret_key"))
	bob := as("bob", a.must(200, "bob", "GET", "/api/2.0/prinzbox/s3-key", nil, "secret_key"))
	owner := as(env.Ready().AccessKey, env.Ready().SecretKey)
	backup := as("backup", "backup-secret")
	const bucket = prinzbox.DefaultBucket
	key := eid + "/file"
	put := func(c *minio.Client, key, acl string) error {
		o := minio.PutObjectOptions{}
		if acl != "" {
			o.UserMetadata = map[string]string{"x-amz-acl": acl}
		}
		_, err := c.PutObject(t.Context(), bucket, key, strings.NewReader("x"), 1, o)
		return err
	}
	stat := func(c *minio.Client, key string) error {
		_, err := c.StatObject(t.Context(), bucket, key, minio.StatObjectOptions{})
		return err
	}
	check := func(what string, err error, allowed bool) {
		t.Helper()
		if got := minio.ToErrorResponse(err).Code; allowed && err != nil || !allowed && got != "AccessDenied" {
			t.Errorf("%s: %v", what, err)
		}
	}
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/bob"},"Action":["s3:PutObject","s3:GetObject"],"Resource":"arn:aws:s3:::mlflow/shared/*"},
		{"Effect":"Deny","Principal":{"AWS":["alice"]},"Action":"s3:PutObject","Resource":"arn:aws:s3:::mlflow/*/sealed"}]}`
	check("alice puts", put(alice, key, ""), true)
	check("alice puts, the owner may read", put(alice, key, "bucket-owner-full-control"), true)
	check("alice publishes", put(alice, key, "public-read"), false)
	check("alice sets a policy", alice.SetBucketPolicy(t.Context(), bucket, policy), false)
	check("bob puts into alice's", put(bob, key, ""), false)
	check("backup reads", stat(backup, key), true)
	check("backup puts", put(backup, key, ""), false)
	if a := call(t, "GET", env.S3Endpoint()+"/"+bucket+"/"+key, ""); a.status != 403 {
		t.Errorf("without a key: %+v", a)
	}
	check("bob puts", put(bob, "shared/x", ""), false)
	check("the owner sets a policy", owner.SetBucketPolicy(t.Context(), bucket, policy), true)
	check("bob puts what the policy allows", put(bob, "shared/x", ""), true)
	check("bob publishes what he put", put(bob, "shared/x", "public-read"), false)
	check("bob reads it", stat(bob, "shared/x"), true)
	check("alice puts what the policy denies", put(alice, eid+"/sealed", ""), false)
	check("alice puts beside it", put(alice, key, ""), true)
	check("the owner publishes", put(owner, key, "public-read"), true)
	if a := call(t, "GET", env.S3Endpoint()+"/"+bucket+"/"+key, ""); a.status != 200 || a.body != "x" {
		t.Errorf("published: %+v", a)
	}
	// MLflow's own doors do not open with it.
	a.must(401, "", "GET", "/api/2.0/mlflow-artifacts/artifacts/"+key, nil)
}
