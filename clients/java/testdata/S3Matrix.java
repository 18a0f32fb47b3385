import io.minio.BucketExistsArgs;
import io.minio.DeleteObjectTagsArgs;
import io.minio.GetObjectArgs;
import io.minio.GetObjectTagsArgs;
import io.minio.ListObjectsArgs;
import io.minio.MakeBucketArgs;
import io.minio.MinioClient;
import io.minio.PutObjectArgs;
import io.minio.RemoveBucketArgs;
import io.minio.RemoveObjectArgs;
import io.minio.Result;
import io.minio.SetBucketVersioningArgs;
import io.minio.SetObjectTagsArgs;
import io.minio.StatObjectArgs;
import io.minio.errors.ErrorResponseException;
import io.minio.messages.Item;
import io.minio.messages.VersioningConfiguration;
import java.io.ByteArrayInputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** What the MinIO clients of every release do alike; their subclasses do what is spelled differently. */
abstract class S3Matrix {
  static final String ODD = "d/a b+%é&='.bin"; // a name that needs care
  static final byte[] SMALL = "hello, store".getBytes(StandardCharsets.UTF_8);

  final String bucket = System.getenv("S3_BUCKET");
  final MinioClient client = connect(System.getenv("AWS_SECRET_ACCESS_KEY"));

  abstract void copy(String from, String to) throws Exception;

  /** Joins the first bytes of an object and its rest to a new one, on the server. */
  abstract void compose(String from, long first, String to) throws Exception;

  abstract String presigned(String method, String key) throws Exception;

  /** Deletes all items at once; gives what could not be. */
  abstract List<String> removeAll(List<Item> items) throws Exception;

  static MinioClient connect(String secret) {
    return MinioClient.builder().endpoint(System.getenv("AWS_ENDPOINT_URL_S3")).credentials(System.getenv("AWS_ACCESS_KEY_ID"), secret).build();
  }

  static void equal(Object got, Object want, String what) {
    if (!want.equals(got)) {
      throw new AssertionError(what + ": " + got + ", not " + want);
    }
  }

  static void same(byte[] got, byte[] want, String what) {
    if (!Arrays.equals(got, want)) {
      throw new AssertionError(what + ": " + got.length + " bytes, not the " + want.length + " that were put");
    }
  }

  static void refused(String code, Callable<?> call) throws Exception {
    try {
      call.call();
    } catch (ErrorResponseException e) {
      equal(e.errorResponse().code(), code, "refused");
      return;
    }
    throw new AssertionError("not refused with " + code);
  }

  void put(String key, byte[] data, long size, long partSize) throws Exception {
    client.putObject(PutObjectArgs.builder().bucket(bucket).object(key).stream(new ByteArrayInputStream(data), size, partSize)
        .contentType("text/x").userMetadata(Map.of("colour", "red")).build());
  }

  byte[] get(String key) throws Exception {
    try (InputStream in = client.getObject(GetObjectArgs.builder().bucket(bucket).object(key).build())) {
      return in.readAllBytes();
    }
  }

  List<Item> items(ListObjectsArgs.Builder args) throws Exception {
    List<Item> items = new ArrayList<>();
    for (Result<Item> r : client.listObjects(args.bucket(bucket).maxKeys(7).build())) {
      items.add(r.get());
    }
    return items;
  }

  List<String> names(ListObjectsArgs.Builder args) throws Exception {
    List<String> names = new ArrayList<>();
    for (Item item : items(args)) {
      names.add(item.objectName());
    }
    return names;
  }

  void all() throws Exception {
    trust();
    client.makeBucket(MakeBucketArgs.builder().bucket(bucket).build());
    equal(client.bucketExists(BucketExistsArgs.builder().bucket(bucket).build()), true, "bucket");
    put(ODD, SMALL, SMALL.length, -1L);
    same(get(ODD), SMALL, "get");
    var stat = client.statObject(StatObjectArgs.builder().bucket(bucket).object(ODD).build());
    equal(stat.contentType(), "text/x", "content type");
    equal(stat.userMetadata().toString().toLowerCase().replaceAll("[^a-z]", ""), "colourred", "metadata");
    try (InputStream in = client.getObject(GetObjectArgs.builder().bucket(bucket).object(ODD).offset(7L).length(5L).build())) {
      equal(new String(in.readAllBytes(), StandardCharsets.UTF_8), "store", "range");
    }
    byte[] large = new byte[(12 << 20) + 7];
    new Random(7).nextBytes(large);
    put("large", large, -1L, 5L << 20);
    same(get("large"), large, "multipart");
    copy(ODD, "copied");
    same(get("copied"), SMALL, "copy");
    compose("large", 6L << 20, "composed");
    same(get("composed"), large, "compose");

    List<String> keys = new ArrayList<>();
    for (int i = 0; i < 25; i++) {
      keys.add(String.format("list/%d/%02d", i / 5, i));
      put(keys.get(i), new byte[0], 0L, -1L);
    }
    List<String> folders = List.of("list/0/", "list/1/", "list/2/", "list/3/", "list/4/");
    for (boolean v1 : new boolean[] {true, false}) {
      equal(names(ListObjectsArgs.builder().prefix("list/").recursive(true).useApiVersion1(v1)), keys, "list");
      equal(names(ListObjectsArgs.builder().prefix("list/").useApiVersion1(v1)), folders, "folders");
    }
    client.setObjectTags(SetObjectTagsArgs.builder().bucket(bucket).object(ODD).tags(Map.of("a", "1 2")).build());
    equal(client.getObjectTags(GetObjectTagsArgs.builder().bucket(bucket).object(ODD).build()).get(), Map.of("a", "1 2"), "tags");
    client.deleteObjectTags(DeleteObjectTagsArgs.builder().bucket(bucket).object(ODD).build());
    same(get(ODD), SMALL, "get after tagging");

    try (InputStream in = new URL(presigned("GET", ODD)).openStream()) {
      same(in.readAllBytes(), SMALL, "get by URL");
    }
    HttpURLConnection up = (HttpURLConnection) new URL(presigned("PUT", "by url")).openConnection();
    up.setDoOutput(true);
    up.setRequestMethod("PUT");
    up.getOutputStream().write(SMALL);
    equal(up.getResponseCode(), 200, "put by URL");
    same(get("by url"), SMALL, "put by URL");

    client.removeObject(RemoveObjectArgs.builder().bucket(bucket).object(ODD).build());
    refused("NoSuchKey", () -> get(ODD));
    equal(removeAll(items(ListObjectsArgs.builder().prefix("list/").recursive(true))), List.of(), "batch delete");
    equal(names(ListObjectsArgs.builder().prefix("list/").recursive(true)), List.of(), "list after batch delete");

    client.setBucketVersioning(SetBucketVersioningArgs.builder().bucket(bucket).config(versioned()).build());
    put("v", new byte[] {1}, 1L, -1L);
    put("v", new byte[] {2}, 1L, -1L);
    client.removeObject(RemoveObjectArgs.builder().bucket(bucket).object("v").build());
    List<Item> versions = items(ListObjectsArgs.builder().prefix("v").includeVersions(true));
    versions.removeIf(Item::isDeleteMarker);
    equal(versions.size(), 2, "versions");
    try (InputStream in = client.getObject(GetObjectArgs.builder().bucket(bucket).object("v").versionId(versions.get(1).versionId()).build())) {
      same(in.readAllBytes(), new byte[] {1}, "first version");
    }
    refused("SignatureDoesNotMatch", () -> connect("wrong").listBuckets());
    equal(removeAll(items(ListObjectsArgs.builder().recursive(true).includeVersions(true))), List.of(), "delete of everything");
    client.removeBucket(RemoveBucketArgs.builder().bucket(bucket).build());
    System.exit(0); // the client's idle threads would keep Java up for a minute
  }

  abstract VersioningConfiguration versioned();

  /** Lets plain Java trust the environment's certificate; MinIO's client reads SSL_CERT_FILE. */
  private static void trust() throws Exception {
    String file = System.getenv("SSL_CERT_FILE");
    if (file == null) {
      return;
    }
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (InputStream in = new FileInputStream(file)) {
      for (Certificate c : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
        store.setCertificateEntry("certificate " + store.size(), c);
      }
    }
    TrustManagerFactory trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trusted.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trusted.getTrustManagers(), null);
    HttpsURLConnection.setDefaultSSLSocketFactory(context.getSocketFactory());
  }
}
