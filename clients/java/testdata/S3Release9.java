import io.minio.ComposeObjectArgs;
import io.minio.CopyObjectArgs;
import io.minio.GetPresignedObjectUrlArgs;
import io.minio.Http;
import io.minio.RemoveObjectsArgs;
import io.minio.Result;
import io.minio.SourceObject;
import io.minio.messages.DeleteRequest;
import io.minio.messages.DeleteResult;
import io.minio.messages.Item;
import io.minio.messages.VersioningConfiguration;
import java.util.ArrayList;
import java.util.List;

/** MinIO's client 9. */
final class S3Release9 extends S3Matrix {
  public static void main(String[] args) throws Exception {
    new S3Release9().all();
  }

  @Override
  void copy(String from, String to) throws Exception {
    client.copyObject(CopyObjectArgs.builder().bucket(bucket).object(to).source(SourceObject.builder().bucket(bucket).object(from).build()).build());
  }

  @Override
  void compose(String from, long first, String to) throws Exception {
    SourceObject start = SourceObject.builder().bucket(bucket).object(from).length(first).build();
    SourceObject rest = SourceObject.builder().bucket(bucket).object(from).offset(first).build();
    client.composeObject(ComposeObjectArgs.builder().bucket(bucket).object(to).sources(new ArrayList<>(List.of(start, rest))).build());
  }

  @Override
  String presigned(String method, String key) throws Exception {
    return client.getPresignedObjectUrl(GetPresignedObjectUrlArgs.builder().method(Http.Method.valueOf(method)).bucket(bucket).object(key).expiry(60).build());
  }

  @Override
  List<String> removeAll(List<Item> items) throws Exception {
    List<DeleteRequest.Object> all = new ArrayList<>();
    for (Item item : items) {
      all.add(new DeleteRequest.Object(item.objectName(), item.versionId()));
    }
    List<String> failed = new ArrayList<>();
    for (Result<DeleteResult.Error> r : client.removeObjects(RemoveObjectsArgs.builder().bucket(bucket).objects(all).build())) {
      failed.add(r.get().message());
    }
    return failed;
  }

  @Override
  VersioningConfiguration versioned() {
    return new VersioningConfiguration(VersioningConfiguration.Status.ENABLED, null, null, null);
  }
}
