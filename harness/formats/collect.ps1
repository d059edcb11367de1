# Collects what `coexist import` reads: run it in the Exchange Management Shell of the newest version that there is, as a
# member of View-Only Organization Management, then import the folder. It changes nothing, and reads no mailbox.
#
#   .\collect.ps1 -Folder exports -ExternalDns 8.8.8.8
#   coexist import exports -o customer.toml --anonymise
#
# The cmdlets are described at https://learn.microsoft.com/powershell/module/exchange/. One that this version does not have,
# or that fails, is named and left out: the import says what follows from that.
param(
    [string] $Folder = 'exports',
    # A DNS server of the internet, to learn what names lead to outside (Windows Server 2012 and later have Resolve-DnsName).
    # Without it they are asked inside alone.
    [string] $ExternalDns = ''
)

$FormatEnumerationLimit = -1
New-Item -ItemType Directory -Force -Path $Folder | Out-Null

function Export([string] $Cmdlet, [hashtable] $Arguments = @{}) {
    if (-not (Get-Command $Cmdlet -ErrorAction SilentlyContinue)) {
        Write-Warning "$Cmdlet is not in this version: left out"
        return
    }
    try {
        $objects = @(& $Cmdlet @Arguments -ErrorAction Stop)
        $objects | Export-Clixml -Encoding UTF8 -Path (Join-Path $Folder "$Cmdlet.xml")
        Write-Host ("{0,5}  {1}" -f $objects.Count, $Cmdlet)
    }
    catch { Write-Warning "${Cmdlet}: $_" }
}

# Virtual directories are asked of each server's IIS, which takes its time: -ADPropertiesOnly is fast, and leaves out how users sign in.
foreach ($noun in 'ExchangeServer', 'ClientAccessServer', 'ClientAccessArray', 'OfflineAddressBook', 'AcceptedDomain', 'OutlookAnywhere',
    'OwaMailboxPolicy', 'OwaVirtualDirectory', 'EcpVirtualDirectory', 'ActiveSyncVirtualDirectory', 'WebServicesVirtualDirectory',
    'OabVirtualDirectory', 'AutodiscoverVirtualDirectory', 'MapiVirtualDirectory') {
    Export "Get-$noun"
}
# Databases of older versions are left out unless they are asked for, and where each is mounted is asked of its server.
$known = (Get-Command Get-MailboxDatabase).Parameters
$asked = @{ Status = $true }
foreach ($older in 'IncludePreExchange2013', 'IncludePreExchange2010') {
    if ($known -and $known.ContainsKey($older) -and $asked.Count -eq 1) { $asked[$older] = $true }
}
Export 'Get-MailboxDatabase' $asked

# Settings of the mail services are each server's own, and whether they run is in no directory.
$servers = @(Get-ExchangeServer | Where-Object { "$($_.ServerRole)" -match 'ClientAccess|Mailbox' })
function Ask([string] $Cmdlet, [string] $Server, [hashtable] $Arguments) {
    try { & $Cmdlet @Arguments -ErrorAction Stop }
    catch { Write-Warning "$Cmdlet of ${Server}: $_" }
}
foreach ($cmdlet in 'Get-ImapSettings', 'Get-PopSettings') {
    $servers | Where-Object { "$($_.ServerRole)" -match 'ClientAccess' } |
        ForEach-Object { Ask $cmdlet $_.Name @{ Server = $_.Name } } |
        Export-Clixml -Encoding UTF8 -Path (Join-Path $Folder "$cmdlet.xml")
}
$services = 'MSExchangeIMAP4*', 'MSExchangePOP3*'
$servers | ForEach-Object { Ask 'Get-Service' $_.Name @{ ComputerName = $_.Fqdn; Name = $services } } |
    Select-Object Name, Status, MachineName | Export-Csv -NoTypeInformation -Encoding UTF8 -Path (Join-Path $Folder 'Get-Service.csv')

# What the names lead to: servers by their addresses. An address that is no server's is taken for a load balancer's. A row
# without an address says that a name leads nowhere there: one whose lookup failed is named, and has no row.
function Resolve([string] $Name, [string] $View) {
    $found = @()
    try {
        if ($View -eq 'Internal') { $found = @([System.Net.Dns]::GetHostAddresses($Name)) }
        else {
            $found = @(Resolve-DnsName -Name $Name -Type A -Server $ExternalDns -DnsOnly -ErrorAction Stop |
                ForEach-Object { $_.IPAddress })
        }
    }
    catch {
        # No such name, or none with an address, as https://learn.microsoft.com/windows/win32/debug/system-error-codes lists them:
        # WSAHOST_NOT_FOUND and WSANO_DATA of sockets, DNS_ERROR_RCODE_NAME_ERROR and DNS_INFO_NO_RECORDS of Resolve-DnsName.
        $code = $_.Exception.GetBaseException().NativeErrorCode
        if (@(11001, 11004, 9003, 9501) -notcontains $code) {
            Write-Warning "$Name ($View) is left out of Names.csv: $_"
            return
        }
    }
    New-Object PSObject -Property @{ Name = $Name; View = $View; Address = (@($found | Where-Object { $_ }) -join ' ') }
}
$text = Get-ChildItem (Join-Path $Folder '*.xml') | Get-Content | Out-String
# An array though only one is found: `+=` on a string would write the names one after the other.
$hosts = @([regex]::Matches($text, 'https?://([A-Za-z0-9._-]+)') | ForEach-Object { $_.Groups[1].Value })
$hosts += [regex]::Matches($text, 'Hostname[^>]*>(?:\s*<[^>]*>)*\s*([A-Za-z0-9_-]+\.[A-Za-z0-9._-]+)<') | ForEach-Object { $_.Groups[1].Value }
$hosts += $servers | ForEach-Object { "$($_.Fqdn)" }
$hosts += Get-ClientAccessArray -ErrorAction SilentlyContinue | ForEach-Object { "$($_.Fqdn)" }
$hosts += Get-AcceptedDomain -ErrorAction SilentlyContinue | ForEach-Object { "autodiscover.$($_.DomainName)" }
$names = $hosts | Where-Object { $_ -and $_ -notmatch 'schemas\.microsoft\.com|^autodiscover\.\*' } | ForEach-Object { $_.ToLower() } | Sort-Object -Unique
$views = @('Internal')
if ($ExternalDns -and (Get-Command Resolve-DnsName -ErrorAction SilentlyContinue)) { $views += 'External' }
elseif ($ExternalDns) { Write-Warning 'Resolve-DnsName is not in this version of Windows: names are asked inside alone' }
# The type's line is how the import knows the table.
$table = $names | ForEach-Object { foreach ($view in $views) { Resolve $_ $view } } | Select-Object Name, View, Address | ConvertTo-Csv -NoTypeInformation
@('#TYPE CoexistName') + $table | Out-File -Encoding UTF8 -FilePath (Join-Path $Folder 'Names.csv')
Write-Host "next: coexist import $Folder -o customer.toml"
