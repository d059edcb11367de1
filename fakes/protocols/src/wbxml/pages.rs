//! The code pages of ActiveSync: [MS-ASWBXML] 2.1.2.1. Pages and tags that nothing here needs are left out.

use super::Tag;

macro_rules! pages {
    ($($page:literal $module:ident $doc:literal: $($constant:ident $name:literal $token:literal),+;)+) => {
        $(
            #[doc = concat!("Code page ", $page, ": ", $doc, ".")]
            pub mod $module {
                use super::Tag;
                $(
                    #[doc = concat!("`", $name, "`")]
                    pub const $constant: Tag = Tag { page: $page, token: $token };
                )+
            }
        )+

        /// The name of a tag, `None` for one that is not known.
        pub(super) fn name(tag: Tag) -> Option<&'static str> {
            Some(match (tag.page, tag.token) {
                $($(($page, $token) => $name,)+)+
                _ => return None,
            })
        }
    };
}

pages! {
    0 air_sync "AirSync":
        SYNC "Sync" 0x05, RESPONSES "Responses" 0x06, ADD "Add" 0x07, CHANGE "Change" 0x08,
        DELETE "Delete" 0x09, FETCH "Fetch" 0x0A, SYNC_KEY "SyncKey" 0x0B, CLIENT_ID "ClientId" 0x0C,
        SERVER_ID "ServerId" 0x0D, STATUS "Status" 0x0E, COLLECTION "Collection" 0x0F, CLASS "Class" 0x10,
        COLLECTION_ID "CollectionId" 0x12, GET_CHANGES "GetChanges" 0x13,
        MORE_AVAILABLE "MoreAvailable" 0x14, WINDOW_SIZE "WindowSize" 0x15, COMMANDS "Commands" 0x16,
        OPTIONS "Options" 0x17, FILTER_TYPE "FilterType" 0x18, TRUNCATION "Truncation" 0x19,
        CONFLICT "Conflict" 0x1B, COLLECTIONS "Collections" 0x1C, APPLICATION_DATA "ApplicationData" 0x1D,
        DELETES_AS_MOVES "DeletesAsMoves" 0x1E, SUPPORTED "Supported" 0x20, SOFT_DELETE "SoftDelete" 0x21,
        MIME_SUPPORT "MIMESupport" 0x22, MIME_TRUNCATION "MIMETruncation" 0x23, WAIT "Wait" 0x24,
        LIMIT "Limit" 0x25, PARTIAL "Partial" 0x26, CONVERSATION_MODE "ConversationMode" 0x27,
        MAX_ITEMS "MaxItems" 0x28, HEARTBEAT_INTERVAL "HeartbeatInterval" 0x29;
    1 contacts "Contacts, as far as the published example goes":
        FILE_AS "FileAs" 0x1E, FIRST_NAME "FirstName" 0x1F, LAST_NAME "LastName" 0x29;
    2 email "Email":
        ATTACHMENT "Attachment" 0x05, ATTACHMENTS "Attachments" 0x06, ATT_NAME "AttName" 0x07,
        ATT_SIZE "AttSize" 0x08, BODY "Body" 0x0C, BODY_SIZE "BodySize" 0x0D,
        BODY_TRUNCATED "BodyTruncated" 0x0E, DATE_RECEIVED "DateReceived" 0x0F,
        DISPLAY_NAME "DisplayName" 0x10, DISPLAY_TO "DisplayTo" 0x11, IMPORTANCE "Importance" 0x12,
        MESSAGE_CLASS "MessageClass" 0x13, SUBJECT "Subject" 0x14, READ "Read" 0x15, TO "To" 0x16,
        CC "Cc" 0x17, FROM "From" 0x18, REPLY_TO "ReplyTo" 0x19, THREAD_TOPIC "ThreadTopic" 0x35,
        MIME_DATA "MIMEData" 0x36, MIME_TRUNCATED "MIMETruncated" 0x37, MIME_SIZE "MIMESize" 0x38,
        INTERNET_CPID "InternetCPID" 0x39, FLAG "Flag" 0x3A, CONTENT_CLASS "ContentClass" 0x3C;
    7 folder_hierarchy "FolderHierarchy":
        DISPLAY_NAME "DisplayName" 0x07, SERVER_ID "ServerId" 0x08, PARENT_ID "ParentId" 0x09,
        TYPE "Type" 0x0A, STATUS "Status" 0x0C, CHANGES "Changes" 0x0E, ADD "Add" 0x0F,
        DELETE "Delete" 0x10, UPDATE "Update" 0x11, SYNC_KEY "SyncKey" 0x12,
        FOLDER_CREATE "FolderCreate" 0x13, FOLDER_DELETE "FolderDelete" 0x14,
        FOLDER_UPDATE "FolderUpdate" 0x15, FOLDER_SYNC "FolderSync" 0x16, COUNT "Count" 0x17;
    13 ping "Ping":
        PING "Ping" 0x05, AUTD_STATE "AutdState" 0x06, STATUS "Status" 0x07,
        HEARTBEAT_INTERVAL "HeartbeatInterval" 0x08, FOLDERS "Folders" 0x09, FOLDER "Folder" 0x0A,
        ID "Id" 0x0B, CLASS "Class" 0x0C, MAX_FOLDERS "MaxFolders" 0x0D;
    14 provision "Provision":
        PROVISION "Provision" 0x05, POLICIES "Policies" 0x06, POLICY "Policy" 0x07,
        POLICY_TYPE "PolicyType" 0x08, POLICY_KEY "PolicyKey" 0x09, DATA "Data" 0x0A, STATUS "Status" 0x0B,
        REMOTE_WIPE "RemoteWipe" 0x0C, EAS_PROVISION_DOC "EASProvisionDoc" 0x0D,
        DEVICE_PASSWORD_ENABLED "DevicePasswordEnabled" 0x0E,
        ALPHANUMERIC_DEVICE_PASSWORD_REQUIRED "AlphanumericDevicePasswordRequired" 0x0F,
        PASSWORD_RECOVERY_ENABLED "PasswordRecoveryEnabled" 0x11,
        ATTACHMENTS_ENABLED "AttachmentsEnabled" 0x13,
        MIN_DEVICE_PASSWORD_LENGTH "MinDevicePasswordLength" 0x14,
        MAX_INACTIVITY_TIME_DEVICE_LOCK "MaxInactivityTimeDeviceLock" 0x15,
        MAX_DEVICE_PASSWORD_FAILED_ATTEMPTS "MaxDevicePasswordFailedAttempts" 0x16,
        MAX_ATTACHMENT_SIZE "MaxAttachmentSize" 0x17,
        ALLOW_SIMPLE_DEVICE_PASSWORD "AllowSimpleDevicePassword" 0x18,
        DEVICE_PASSWORD_EXPIRATION "DevicePasswordExpiration" 0x19,
        DEVICE_PASSWORD_HISTORY "DevicePasswordHistory" 0x1A;
    17 air_sync_base "AirSyncBase":
        BODY_PREFERENCE "BodyPreference" 0x05, TYPE "Type" 0x06, TRUNCATION_SIZE "TruncationSize" 0x07,
        ALL_OR_NONE "AllOrNone" 0x08, BODY "Body" 0x0A, DATA "Data" 0x0B,
        ESTIMATED_DATA_SIZE "EstimatedDataSize" 0x0C, TRUNCATED "Truncated" 0x0D,
        ATTACHMENTS "Attachments" 0x0E, ATTACHMENT "Attachment" 0x0F, DISPLAY_NAME "DisplayName" 0x10,
        FILE_REFERENCE "FileReference" 0x11, METHOD "Method" 0x12, CONTENT_ID "ContentId" 0x13,
        CONTENT_LOCATION "ContentLocation" 0x14, IS_INLINE "IsInline" 0x15,
        NATIVE_BODY_TYPE "NativeBodyType" 0x16, CONTENT_TYPE "ContentType" 0x17, PREVIEW "Preview" 0x18;
    18 settings "Settings, for the DeviceInformation that a Provision of 14.1 begins with":
        SETTINGS "Settings" 0x05, STATUS "Status" 0x06, GET "Get" 0x07, SET "Set" 0x08,
        DEVICE_INFORMATION "DeviceInformation" 0x16, MODEL "Model" 0x17, IMEI "IMEI" 0x18,
        FRIENDLY_NAME "FriendlyName" 0x19, OS "OS" 0x1A, OS_LANGUAGE "OSLanguage" 0x1B,
        PHONE_NUMBER "PhoneNumber" 0x1C, USER_INFORMATION "UserInformation" 0x1D,
        USER_AGENT "UserAgent" 0x20, ENABLE_OUTBOUND_SMS "EnableOutboundSMS" 0x21,
        MOBILE_OPERATOR "MobileOperator" 0x22;
    20 item_operations "ItemOperations":
        ITEM_OPERATIONS "ItemOperations" 0x05, FETCH "Fetch" 0x06, STORE "Store" 0x07,
        OPTIONS "Options" 0x08, RANGE "Range" 0x09, TOTAL "Total" 0x0A, PROPERTIES "Properties" 0x0B,
        DATA "Data" 0x0C, STATUS "Status" 0x0D, RESPONSE "Response" 0x0E;
    21 compose_mail "ComposeMail":
        SEND_MAIL "SendMail" 0x05, SMART_FORWARD "SmartForward" 0x06, SMART_REPLY "SmartReply" 0x07,
        SAVE_IN_SENT_ITEMS "SaveInSentItems" 0x08, REPLACE_MIME "ReplaceMime" 0x09, SOURCE "Source" 0x0B,
        FOLDER_ID "FolderId" 0x0C, ITEM_ID "ItemId" 0x0D, LONG_ID "LongId" 0x0E,
        INSTANCE_ID "InstanceId" 0x0F, MIME "MIME" 0x10, CLIENT_ID "ClientId" 0x11, STATUS "Status" 0x12,
        ACCOUNT_ID "AccountId" 0x13;
}
