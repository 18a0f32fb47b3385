import io.minio.GetObjectArgs;
import io.minio.MinioClient;
import io.minio.errors.ErrorResponseException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/** Reads an object as Prinz does: a client without a region, which asks for the bucket's, and a key that begins with a slash. */
final class Objects {
  public static void main(String[] args) throws Exception {
    String key = System.getenv("OBJECT_KEY");
    for (String k : new String[] {"/" + key, key}) {
      try (InputStream in = client().getObject(GetObjectArgs.builder().bucket("mlflow").object(k).build())) {
        String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        if (!text.contains("flavors:")) {
          throw new AssertionError(k + " holds " + text);
        }
      }
    }
    try (InputStream none = client().getObject(GetObjectArgs.builder().bucket("mlflow").object("/" + key + ".none").build())) {
      throw new AssertionError("an object that is not there was read");
    } catch (ErrorResponseException e) {
      if (!e.errorResponse().code().equals("NoSuchKey")) {
        throw new AssertionError("an object that is not there: " + e.errorResponse().code());
      }
    }
  }

  private static MinioClient client() {
    return MinioClient.builder().endpoint(System.getenv("MLFLOW_S3_ENDPOINT_URL"))
        .credentials(System.getenv("AWS_ACCESS_KEY_ID"), System.getenv("AWS_SECRET_ACCESS_KEY")).build();
  }
}
