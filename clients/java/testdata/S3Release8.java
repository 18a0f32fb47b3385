import io.minio.ComposeObjectArgs;
import io.minio.ComposeSource;
import io.minio.CopyObjectArgs;
import io.minio.CopySource;
import io.minio.GetPresignedObjectUrlArgs;
import io.minio.RemoveObjectsArgs;
import io.minio.Result;
import io.minio.http.Method;
import io.minio.messages.DeleteError;
import io.minio.messages.DeleteObject;
import io.minio.messages.Item;
import io.minio.messages.VersioningConfiguration;
import java.util.ArrayList;
import java.util.List;

/** MinIO's client 8. */
final class S3Release8 extends S3Matrix {
  public static void main(String[] args) throws Exception {
    new S3Release8().all();
  }

  @Override
  void copy(String from, String to) throws Exception {
    client.copyObject(CopyObjectArgs.builder().bucket(bucket).object(to).source(CopySource.builder().bucket(bucket).object(from).build()).build());
  }

  @Override
  void compose(String from, long first, String to) throws Exception {
    ComposeSource start = ComposeSource.builder().bucket(bucket).object(from).offset(0L).length(first).build();
    ComposeSource rest = ComposeSource.builder().bucket(bucket).object(from).offset(first).build();
    client.composeObject(ComposeObjectArgs.builder().bucket(bucket).object(to).sources(List.of(start, rest)).build());
  }

  @Override
  String presigned(String method, String key) throws Exception {
    return client.getPresignedObjectUrl(GetPresignedObjectUrlArgs.builder().method(Method.valueOf(method)).bucket(bucket).object(key).expiry(60).build());
  }

  @Override
  List<String> removeAll(List<Item> items) throws Exception {
    List<DeleteObject> all = new ArrayList<>();
    for (Item item : items) {
      all.add(new DeleteObject(item.objectName(), item.versionId()));
    }
    List<String> failed = new ArrayList<>();
    for (Result<DeleteError> r : client.removeObjects(RemoveObjectsArgs.builder().bucket(bucket).objects(all).build())) {
      failed.add(r.get().message());
    }
    return failed;
  }

  @Override
  VersioningConfiguration versioned() {
    return new VersioningConfiguration(VersioningConfiguration.Status.ENABLED, null);
  }
}
